//! The sidecar: keeps keys and state, and serves certificates to Envoy by SDS.

#![forbid(unsafe_code)]

pub mod api;
pub mod ca_reach;
pub mod challenges;
pub mod cli;
pub mod closed;
mod complaint;
pub mod configuration;
pub mod deployment;
pub mod engine_presence;
mod envoy;
pub mod from_memory;
pub mod health;
pub mod holder;
pub mod logging;
pub mod metrics;
pub mod options;
pub mod peers;
pub mod permits;
pub mod privileges;
pub mod process;
pub mod provided;
pub mod publisher;
mod reach;
pub mod revocation;
pub mod run;
pub mod sidecar;
pub mod socket;
pub mod standing;
pub mod wants;
pub mod watchdog;
