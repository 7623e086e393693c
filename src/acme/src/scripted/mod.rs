//! A CA that follows a script, on a virtual clock: whole flows run in milliseconds, and a seed replays a failure.
//!
//! For the tests of this crate and of those above it (feature `scripted`); nothing of it is in the product.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test helper fails by panicking"
)]

mod authorization;
mod ca;
mod certificate;
mod challenges;
mod fault;
mod renewals;
mod responses;
mod web;
mod world;

pub use authorization::AfterFailure;
pub use ca::{Ca, Entry, MakeChain, Settings, mac, payload};
pub use certificate::Certificate;
pub use fault::{Fault, Faults};
pub use renewals::{Renewals, renewal_id};
pub use web::Web;
pub use world::{Network, World};
