//! The ground of the native crates: what each of them needs of the machine, once.
//!
//! - [`clock`]: the time of day, which a test can set.
//! - [`files`], [`state_file`]: files below a directory that was judged, read whole and replaced whole.
//! - [`environment`], [`program`], [`hardening`]: what processes are given, and what they keep to themselves.
//!
//! Refuses: to know a certificate, a CA or Envoy.

#![forbid(unsafe_code)]

pub mod changes;
pub mod clock;
pub mod date;
pub mod environment;
pub mod exposed;
pub mod files;
pub mod hardening;
pub mod parallel;
pub mod program;
pub mod shell_word;
pub mod state_file;
