//! From what a user writes to the Envoy configuration made of it.
//!
//! [`model`] says what is to be set up, free of the form it was written in. [`envoy`] makes Envoy's configuration of it.
//!
//! Text in, text out: nothing here opens a file, a socket or a process; the binary does.

#![forbid(unsafe_code)]

pub mod envoy;
pub mod model;
