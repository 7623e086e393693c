//! Tests from the user's input to the setup and the Envoy configuration. They are one program, since each program is
//! linked separately.

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
mod wants;
