//! From what a user writes to the Envoy configuration made of it.
//!
//! - [`input`]: files, flags, environment variables and Helm values, put together and read.
//! - [`traefik`]: the types of Traefik's configuration; [`schema`] is made of them.
//! - [`mac_key`]: what `eab.hmacEncoded` says, a key or its place.
//! - [`model`]: what is to be set up, free of the form it was written in.
//! - [`envoy`]: Envoy's configuration made of it.
//! - [`into`]: the same put into an Envoy configuration of the user's own.
//! - [`check`]: what is wrong with an Envoy configuration that uses the plugin; [`located`] says where.
//!
//! Text in, text out: nothing here opens a file, a socket or a process; the binary does.

#![forbid(unsafe_code)]

mod address;
mod assemble;
pub mod check;
mod effective;
pub mod envoy;
pub mod input;
pub mod into;
pub mod located;
pub mod model;
pub mod schema;
pub mod traefik;

pub use assemble::ClosedRouter;
pub use input::{Bootstrap, Mistake, Quick, Reading, SourceFile, Sources, read};
