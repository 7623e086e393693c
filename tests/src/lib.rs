//! The harness of the end-to-end tests, the demo and the benchmarks: real Envoy, real Pebble, the real sidecar.
//!
//! A [`Place`] is a directory and ports of its own, so that any number of tests run side by side. In it run
//! [`Challtestsrv`] (DNS), [`Pebble`] (the CA), [`Sidecar`] and [`Envoy`]; a [`Testbed`] is all four, with the
//! configuration of `envoy/envoy.yaml`, which [`Bootstrap`] reads and moves to the place: what is tested is what is
//! shipped. A [`Relay`] before the CA does what a broken or hostile one does; [`dns`] has further DNS servers. [`tls`]
//! looks at it all from outside, as a browser would.
//!
//! Promises: no process outlives the test that started it, also when the test panics or is killed; every wait is for a
//! condition and ends; after a failure the logs are kept and their end is shown. Refuses to skip the verification of a
//! certificate.

mod authority;
mod backend;
mod bootstrap;
mod challtestsrv;
mod envoy;
mod fake_engine;
mod older;
mod pebble;
mod place;
mod process;
mod relay;
mod sidecar;
mod site;
mod testbed;
mod tls_alpn01;
mod wait;

pub mod acme_tls;
pub mod artifacts;
pub mod clients;
pub mod crowd;
pub mod dns;
pub mod http;
pub mod network;
pub mod ports;
pub mod tls;
pub mod tokens;

pub use authority::Authority;
pub use backend::Backend;
pub use bootstrap::{Bootstrap, Domains};
pub use challtestsrv::{Challtestsrv, Records};
pub use envoy::{Envoy, EnvoyOptions};
pub use fake_engine::FakeEngine;
pub use older::minor;
pub use pebble::{Pebble, PebbleOptions};
pub use place::Place;
pub use process::{Ended, Process, Signal};
pub use relay::{Exchange, Fault, Relay, Resource};
pub use sidecar::Sidecar;
pub use sidecar::SidecarOptions;
pub use site::{DOWNLOAD, LONG, Site};
pub use testbed::{Stage, Testbed, TestbedOptions, domains};
pub use wait::{interrupt_on_signals, interrupted, until};
