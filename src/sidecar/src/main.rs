//! `envoy-autocert`: the sidecar and the tools around it.

fn main() {}
