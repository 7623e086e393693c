//! Foundations of the native crates: access to the machine.
//!
//! - [`clock`]: the time of day, which a test can set.
//! - [`files`], [`state_file`]: files in a checked directory, read and replaced as a whole.
//! - [`environment`], [`program`], [`hardening`]: the environment of child processes, and the protection of our own.
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
