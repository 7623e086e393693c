//! The Envoy configuration of a [`Setup`](crate::model::Setup).
//!
//! The pieces first, as JSON values to put together: the [`plugin`] as a filter and as a service of the bootstrap, the
//! [`clusters`] it calls, the [`ca`]'s with whom to trust, the [`secrets`] of TLS listeners. [`yaml`] writes them.
//!
//! Equal setups give equal text. What reaches Envoy holds no secret: Envoy shows its configuration to whoever asks.

pub mod ca;
pub mod clusters;
pub mod plugin;
pub mod secrets;
pub mod yaml;

use std::collections::BTreeMap;

/// Where things are on the machine that Envoy runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The file of the plugin.
    pub plugin: String,
    /// The sidecar's unix socket for the plugin.
    pub api_socket: String,
    /// The sidecar's unix socket for SDS.
    pub sds_socket: String,
    /// Where Envoy's admin interface listens: `ADDRESS:PORT`, or the path of a unix socket.
    pub admin: String,
    /// The file with the roots that the system trusts.
    pub ca_bundle: String,
    /// The PEM files of [`ca::files`], by their paths: Envoy takes one file for a connection, so several are put into
    /// the configuration.
    pub pem_files: BTreeMap<String, String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            plugin: "/usr/lib/envoy-autocert/envoy_autocert.wasm".to_owned(),
            api_socket: "/run/envoy-autocert/api.sock".to_owned(),
            sds_socket: "/run/envoy-autocert/sds.sock".to_owned(),
            admin: "127.0.0.1:9901".to_owned(),
            ca_bundle: "/etc/ssl/certs/ca-certificates.crt".to_owned(),
            pem_files: BTreeMap::new(),
        }
    }
}
