//! What a file is, by its content: names of files say nothing.

use super::typed::typed;
use crate::located::At;

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Envoy's bootstrap.
    Bootstrap,
    /// Some of Envoy's resources: a file for LDS or CDS, HTTP filters, listeners and clusters to merge.
    Pieces,
    /// A resource of Kubernetes.
    Kubernetes,
    /// None of these: one of Traefik's forms, or nothing we know.
    Other,
}

/// Fields of a bootstrap that nothing else has.
const BOOTSTRAP: [&str; 5] =
    ["static_resources", "dynamic_resources", "bootstrap_extensions", "layered_runtime", "cluster_manager"];

/// Fields that hold pieces of Envoy's configuration.
pub(super) const PIECES: [&str; 4] = ["http_filters", "filter_chains", "listeners", "clusters"];

/// Words of which every text that is one of these has one.
const WORDS: [&str; 18] = [
    "@type",
    "Resources",
    "_resources",
    "apiVersion",
    "bootstrapExtensions",
    "bootstrap_extensions",
    "clusterManager",
    "cluster_manager",
    "clusters",
    "filterChains",
    "filter_chains",
    "httpFilters",
    "http_filters",
    "layeredRuntime",
    "layered_runtime",
    "listeners",
    "typedConfig",
    "typed_config",
];

/// Whether a text may be anything but [`Kind::Other`]: to look for words is cheaper than to read it.
pub fn may_be_envoys(text: &str) -> bool {
    WORDS.iter().any(|word| text.contains(word))
}

/// What this document is.
pub fn kind(top: &At<'_>) -> Kind {
    let has_pieces = || PIECES.iter().any(|field| top.entry(field).is_some());
    // No bootstrap has these; beside them, what belongs in one is a piece as well.
    if BOOTSTRAP.iter().any(|field| top.entry(field).is_some()) && !has_pieces() {
        return Kind::Bootstrap;
    }
    if top.entry("apiVersion").is_some() && top.entry("kind").is_some() {
        return Kind::Kubernetes;
    }
    let is_resources = || top.list("resources").first().is_some_and(|first| typed(first).is_some());
    let is_filters = || top.items().first().is_some_and(|first| first.entry("typed_config").is_some());
    if typed(top).is_some() || is_resources() || is_filters() || has_pieces() {
        return Kind::Pieces;
    }
    Kind::Other
}
