//! Compiles the user's configuration to Envoy's.
//!
//! - [`input`]: files, flags, environment variables and Helm values, merged and read.
//! - [`traefik`]: the types of Traefik's configuration; [`schema`] is derived from them.
//! - [`model`]: the setup, independent of the form it was written in.
//! - [`envoy`]: the Envoy configuration generated from a setup.
//! - [`into`]: the same, inserted into an Envoy bootstrap of the user's own.
//! - [`check`]: finds mistakes in an Envoy configuration that uses the plugin, each with its line.
//!
//! Text in, text out: nothing here opens a file, a socket or a process; the binary does.

#![forbid(unsafe_code)]

mod address;
mod assemble;
pub mod check;
mod closed_router;
mod effective;
pub mod envoy;
pub mod input;
pub mod into;
pub mod model;
mod reading;
pub mod schema;
pub mod traefik;

pub use closed_router::ClosedRouter;
pub use input::{Bootstrap, Mistake, Quick, SourceFile, Sources};
pub use reading::{Reading, read};
