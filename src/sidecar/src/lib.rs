//! The sidecar: keeps keys and state, and serves certificates to Envoy by SDS.

#![forbid(unsafe_code)]

pub mod catalog;
pub mod chain;
pub mod keys;
pub mod provided;
pub mod sds;
pub mod secret;
pub mod store;
