//! The Envoy configuration of a [`Setup`](crate::model::Setup).
//!
//! The pieces first, as JSON values to put together: the [`plugin`] as a filter and as a service of the bootstrap, the
//! [`clusters`] it calls, the [`ca`]'s with whom to trust, the [`secrets`] of TLS listeners and the filter chain that
//! answers [`tls_alpn01`] beside them, the [`routes`]. Of these
//! [`listeners`] makes all resources. [`bootstrap`], [`filter`], [`istio`] and [`envoy_gateway`] are the formats, which [`yaml`] writes.
//!
//! Equal setups give equal text. What reaches Envoy holds no secret but the [`tokens`] of its own sidecar: Envoy shows
//! its configuration to whoever asks.

pub mod bootstrap;
pub mod ca;
mod chains;
pub(crate) mod challenge_routes;
pub mod clusters;
pub mod envoy_gateway;
pub mod filter;
mod https;
pub mod istio;
pub mod kubernetes;
pub mod limits;
pub mod listeners;
mod manager;
mod older;
pub mod plugin;
mod ranges;
pub mod routes;
pub mod secrets;
mod services;
pub mod standing;
pub mod tls_alpn01;
pub mod tokens;
mod untrusted;
pub mod version;
pub mod yaml;

use std::collections::BTreeMap;

use limits::Connections;
use protocol::tokens::Tokens;
use serde_json::Value;
use version::Version;

/// The first line of everything that is written, by which it is known again.
pub const HEADER: &str = "# Made by `envoy-autocert render`. Whoever renders it anew loses what was changed by hand.";

/// How the parts of a configuration hang together.
#[derive(Clone, Copy)]
pub enum Layout<'a> {
    /// In one file that is read once: a listener has its routes in it, and one filter chain with all certificates.
    Static,
    /// In files that Envoy watches. Each certificate has a filter chain of its own, and all refer to the routes by their
    /// names: a new domain adds a chain, and no connection of another one is dropped.
    Dynamic {
        /// The file of the route configuration with this name.
        routes: &'a dyn Fn(&str) -> String,
    },
}

/// A configuration as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The YAML, with comments.
    pub text: String,
    /// What is different from Traefik, one line each.
    pub warnings: Vec<String>,
}

/// Who tells the plugin which certificates routers want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wants {
    /// The plugin's configuration: a change of routers is a change of listeners.
    #[default]
    OfConfiguration,
    /// The sidecar, which is told by whoever runs it: a change of routers changes no listener.
    OfSidecar,
}

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
    /// How many connections there may be.
    pub connections: Connections,
    /// The file with the roots that the system trusts.
    pub ca_bundle: String,
    /// The PEM files of [`ca::files`], by their paths: Envoy takes one file for a connection, so several are put into
    /// the configuration.
    pub pem_files: BTreeMap<String, String>,
    /// What the sidecar knows its clients by; what is absent stays a placeholder.
    pub tokens: Tokens,
    /// The Envoy that the configuration is for.
    pub version: Version,
    /// Who tells the plugin which certificates routers want.
    pub wants: Wants,
}

impl Options {
    /// Does to what was made for everybody what is theirs: tokens, and the words of their Envoy.
    pub(crate) fn finish(&self, value: &mut Value) {
        tokens::fill(&self.tokens, value);
        if self.version < Version::NEWEST {
            older::rewrite(value, self.version);
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            plugin: "/usr/lib/envoy-autocert/envoy_autocert.wasm".to_owned(),
            api_socket: "/run/envoy-autocert/api.sock".to_owned(),
            sds_socket: "/run/envoy-autocert/sds.sock".to_owned(),
            admin: "127.0.0.1:9901".to_owned(),
            connections: Connections::default(),
            ca_bundle: "/etc/ssl/certs/ca-certificates.crt".to_owned(),
            pem_files: BTreeMap::new(),
            tokens: Tokens::default(),
            version: Version::NEWEST,
            wants: Wants::default(),
        }
    }
}
