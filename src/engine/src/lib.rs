//! The certificates that should exist, and when to order them: the pure half of the product above the protocol.
//!
//! - [`schedule`], [`backoff`] and, over them, [`plan`]: the certificates that are due, and until when others wait.
//! - [`state_store`]: the contract with the store of keys and state.
//! - [`run`]: orders the certificates that are due through [`acme`], many side by side.
//!
//! Like `acme`, the engine reads no clock, does no I/O, and no input can make it panic.

#![forbid(unsafe_code)]

pub mod backoff;
mod cooldown;
mod fingerprint;
mod jitter;
pub mod ledger;
pub mod plan;
mod records;
mod restart;
mod run;
pub mod schedule;
pub mod state_store;

pub use run::{Census, Event, Observer, WantsFeed, Why, run};
