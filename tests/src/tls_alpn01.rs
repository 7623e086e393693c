//! The shipped filter chain of TLS-ALPN-01, inserted where its text says it belongs.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::Bootstrap;

/// The reference chain, as users get it.
const SHIPPED: &str = include_str!("../../envoy/tls-alpn-01.yaml");

impl Bootstrap {
    /// Adds the chain, and resolvers that use TLS-ALPN-01 alone.
    ///
    /// # Errors
    /// When something that must be changed is not there.
    pub fn tls_alpn01(self) -> Result<Self> {
        let mut bootstrap = self.challenge_chain()?;
        bootstrap.plugin(|configuration| {
            for resolver in
                configuration["certificatesResolvers"].as_object_mut().into_iter().flat_map(|all| all.values_mut())
            {
                if let Some(acme) = resolver["acme"].as_object_mut() {
                    acme.remove("httpChallenge");
                    acme.insert("tlsChallenge".to_owned(), json!({}));
                }
            }
        })?;
        Ok(bootstrap)
    }

    /// Adds the chain to `websecure`, and the listener filter that reads ALPN.
    ///
    /// # Errors
    /// When there is no such listener.
    pub fn challenge_chain(mut self) -> Result<Self> {
        let chains: Vec<Value> = serde_saphyr::from_str(SHIPPED).context("envoy/tls-alpn-01.yaml")?;
        let listener = self.named("/static_resources/listeners", "websecure")?;
        listener["filter_chains"].as_array_mut().context("no filter chains")?.extend(chains);
        let inspector = "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";
        listener["listener_filters"] =
            json!([{ "name": "envoy.filters.listener.tls_inspector", "typed_config": { "@type": inspector } }]);
        Ok(self)
    }

    /// Removes the plugin: nobody holds the lease, so a test can.
    ///
    /// # Errors
    /// When that part is missing.
    pub fn without_plugin(self) -> Result<Self> {
        let mut bootstrap = self.without_singleton();
        bootstrap.web_filters()?.remove(0);
        Ok(bootstrap)
    }
}
