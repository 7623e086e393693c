//! End-to-end tests: real Envoy, real Pebble, the real sidecar.

mod ca_away;
mod reload;
mod sds;
mod secrets;
mod takeover;
