//! The plugin as Envoy sees it: the built `envoy_autocert.wasm` in an interpreter, against a scripted proxy-wasm host
//! on a virtual clock. A trap anywhere fails the test.
//!
//! The module is built by `make plugin` when a test first needs it; `ENVOY_AUTOCERT_WASM` names one that is there.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod callouts;
mod challenges;
mod configuration;
mod envoy;
mod hostile;
mod leases;
mod module;
mod options;
mod redirect;
mod responder;
mod ticks;
mod world;
