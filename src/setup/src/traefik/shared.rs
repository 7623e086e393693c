//! Types that several parts of the configuration share.

use schemars::JsonSchema;
use serde::Deserialize;

/// The names of one certificate.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Domain {
    /// The certificate's main name.
    pub main: Option<String>,
    /// The certificate's further names.
    pub sans: Option<Vec<String>>,
}

/// TLS of a router's connections.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct RouterTls {
    /// The certificates resolver. Without one, certificates of your own or the default one are served.
    pub cert_resolver: Option<String>,
    /// The certificates to get; without it, one with the names in the rule.
    pub domains: Option<Vec<Domain>>,
    /// The name of the router's TLS options.
    pub options: Option<String>,
}
