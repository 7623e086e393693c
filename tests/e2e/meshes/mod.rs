//! Meshes: the output of `render` for Istio and Envoy Gateway, as their control planes hand it to an Envoy.

mod control_plane;
mod envoy_gateway;
mod istio;
mod pods;
mod scene;

/// The older Envoys in which the plugin has all its features.
const OLDER: [&str; 3] = ["1.37", "1.38", "1.39"];

/// The newest one.
const NEWEST: &str = "1.40";
