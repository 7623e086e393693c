//! End-to-end tests: real Envoy, real Pebble, the real sidecar.

mod sds;
