//! End-to-end tests: real Envoy, real Pebble, the real sidecar.

mod ca_outages;
mod configuration;
mod crashes;
mod restarts;
mod sds;
mod takeover;
