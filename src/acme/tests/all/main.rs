//! The client against the scripted CA on a virtual clock. One program: each further one would be linked anew.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod challenges;
mod deviations;
mod issuance;
mod options;
mod renewals;
mod scene;
mod validation;
mod waits;
