//! The engine against a scripted CA, on a virtual clock. One program: each further one would be linked anew.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod challenges;
mod engine;
#[cfg(not(target_arch = "wasm32"))]
mod growth;
mod options;
mod orders;
#[cfg(not(target_arch = "wasm32"))]
mod plan_properties;
mod renewals;
mod restraint;
mod waits;
mod world;
