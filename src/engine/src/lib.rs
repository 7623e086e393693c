//! Which certificates should exist, and when: the pure half of the product above the protocol.
//!
//! - [`schedule`], [`backoff`] and, over them, [`plan`]: what is due, what waits, and until when.
//! - [`state_store`]: the contract with whoever keeps keys and state.
//! - [`run`]: drives what is due through [`acme`], one order after the other and many side by side.
//!
//! Like `acme`, it reads no clock, does no I/O, and no input can make it panic.

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
