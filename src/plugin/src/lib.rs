//! `envoy_autocert.wasm`: the ACME engine and the HTTP-01 responder, as a proxy-wasm plugin for Envoy.
//!
//! Several instances of it live in one Envoy: one a worker thread, one on the main thread, perhaps a singleton. They
//! share nothing but a few keys of Envoy's shared data. What each of them does, from the outside in:
//!
//! - `abi`: the one room that knows the `proxy-wasm` crate; everything else sees the `proxy::Proxy` trait.
//! - `root`: what Envoy's calls mean to a root context and to its streams.
//! - `responder`: answers HTTP-01 requests from the `challenges` in shared data.
//! - `redirect`: sends plaintext requests for `certified` hosts, a table in shared data, to https.
//! - `leadership`: takes part in the election, and while it leads runs the `engine`.
//! - `ca` and `sidecar`: what the engine needs of the context, by `callouts`.
//!
//! Promised: nothing that a peer, a configuration, another plugin or Envoy hands over traps. A trapped VM on the main
//! thread never comes back, a worker's only with the next request. Refused: to keep a certificate's key, and to touch a
//! request that neither asks for a live challenge nor is to be redirected.

#![deny(unsafe_code)]
// On other targets there is no host to call and nothing that calls us: only the tests use what is here.
#![cfg_attr(not(target_family = "wasm"), allow(dead_code))]

#[cfg(target_family = "wasm")]
mod abi;
mod authority;
mod ca;
mod callouts;
mod certified;
mod challenges;
mod clock;
mod configuration;
mod context;
mod executor;
mod leadership;
mod logger;
mod metrics;
mod observer;
mod proxy;
mod redirect;
mod responder;
mod responders;
mod root;
mod semaphore;
mod shared;
mod sidecar;
mod structs;
mod table;
mod timers;

/// The entry points of the fuzz targets; nothing else is for others.
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
pub mod fuzzing {
    /// The mistakes in a configuration, as the log shows them.
    pub fn mistakes(configuration: &[u8]) -> Vec<String> {
        crate::configuration::read(configuration).err().unwrap_or_default()
    }
}

/// The plugin for a host that is a program: what a simulation of the whole product runs. Nothing else is for others.
#[doc(hidden)]
pub mod simulation {
    pub use log::Level;

    pub use crate::proxy::{Buffer, MetricKind, Proxy, ProxyHandle, Status, Token};
    pub use crate::root::{Action, Root, Stream};
}
