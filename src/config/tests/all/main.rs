//! Configurations and router rules as users write them. One program: each further one would be linked anew.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod config;
mod config_hostile;
mod domains;
#[cfg(not(target_arch = "wasm32"))]
mod rule_properties;
