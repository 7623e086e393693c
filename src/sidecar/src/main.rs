//! `envoy-autocert`: the sidecar and the tools around it.

mod catalog;

fn main() {}
