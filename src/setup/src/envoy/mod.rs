//! The Envoy configuration of a [`Setup`](crate::model::Setup).
//!
//! First the pieces, as JSON values: the [`plugin`] as a filter and as a bootstrap service, the [`clusters`] it calls,
//! the [`ca`]'s clusters with their trust options, the [`secrets`] of TLS listeners, the filter chain for
//! [`tls_alpn01`], the [`routes`]. [`listeners`] combines them to resources. [`bootstrap`], [`filter`], [`istio`] and
//! [`envoy_gateway`] are the formats, written in one style.
//!
//! Equal setups give equal text. Envoy's configuration contains no secret but the [`tokens`] of its own sidecar: Envoy
//! shows its configuration on the admin interface.

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
pub(crate) mod style;
pub mod tls_alpn01;
pub mod tokens;
mod untrusted;
pub mod version;

use std::collections::BTreeMap;

use limits::Connections;
use protocol::tokens::Tokens;
use serde_json::Value;
use version::Version;

/// The first line of all output, by which it is recognized.
pub const HEADER: &str = "# Made by `envoy-autocert render`. Whoever renders it anew loses what was changed by hand.";

/// The distribution of a configuration over files.
#[derive(Clone, Copy)]
pub enum Layout<'a> {
    /// A single file that is read once: a listener contains its routes, and one filter chain with all certificates.
    Static,
    /// Files that Envoy watches. Each certificate has a filter chain of its own, and all chains refer to the routes by
    /// name: a new domain adds a chain, and no connection of another one is dropped.
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
    /// Differences from Traefik, one line each.
    pub warnings: Vec<String>,
}

/// The source from which the plugin learns the certificates that routers want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wants {
    /// The plugin's configuration: a change of routers changes listeners.
    #[default]
    OfConfiguration,
    /// The sidecar, which gets them from its caller: a change of routers changes no listener.
    OfSidecar,
}

/// Paths and addresses on Envoy's machine, and further options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The plugin's file.
    pub plugin: String,
    /// The sidecar's unix socket for the plugin.
    pub api_socket: String,
    /// The sidecar's unix socket for SDS.
    pub sds_socket: String,
    /// Address of Envoy's admin interface: `ADDRESS:PORT`, or the path of a unix socket.
    pub admin: String,
    /// Limits of connections.
    pub connections: Connections,
    /// The file with the system's trusted roots.
    pub ca_bundle: String,
    /// The PEM files of [`ca::files`], by their paths: Envoy takes one file per validation context, so several are
    /// inlined.
    pub pem_files: BTreeMap<String, String>,
    /// The sidecar's tokens; placeholders stay for absent ones.
    pub tokens: Tokens,
    /// The version of Envoy that the configuration is for.
    pub version: Version,
    /// The source from which the plugin learns the certificates that routers want.
    pub wants: Wants,
}

impl Options {
    /// Adapts generated configuration to these options: fills in tokens, and rewrites it for the version of Envoy.
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
