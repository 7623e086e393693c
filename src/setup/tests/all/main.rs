//! What users write, and the setup and the Envoy configuration made of it. One program: each
//! further one would be linked anew.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod common;
mod forms;
mod guards;
mod hostile;
mod layers;
mod mistakes;
mod rendered;
mod schema;
mod speed;
