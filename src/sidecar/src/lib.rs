//! The sidecar: keeps keys and state, and serves certificates to Envoy by SDS.

#![forbid(unsafe_code)]

pub mod api;
mod beside;
pub mod catalog;
pub mod chain;
pub mod challenges;
pub mod changes;
pub mod cli;
pub mod clock;
pub mod closed;
mod complaint;
pub mod deployment;
pub mod dns;
pub mod engine;
pub mod environment;
mod envoy;
pub mod export;
mod exposed;
pub mod files;
pub mod from_memory;
pub mod hardening;
pub mod health;
mod holder;
pub mod import;
pub mod keys;
pub mod logging;
pub mod metrics;
pub mod parallel;
pub mod peers;
pub mod permits;
pub mod privileges;
pub mod process;
pub mod provided;
pub mod revocation;
pub mod run;
pub mod sds;
pub mod secret;
pub mod shelf;
pub mod sidecar;
pub mod signature;
pub mod socket;
pub mod store;
pub mod tokens;
pub mod wants;
pub mod watchdog;
