//! Meshes: what `render` makes for Istio and Envoy Gateway, as their control planes hand it to an Envoy.

mod control_plane;
mod envoy_gateway;
mod istio;
mod pods;
mod scene;

/// The Envoys that the plugin runs in with all that it can, besides the newest one.
const OLDER: [&str; 3] = ["1.37", "1.38", "1.39"];

/// The newest one.
const NEWEST: &str = "1.40";
