//! The kind of a file, by its content: file names prove nothing.

use yaml::At;

use super::typed::typed;

/// The kind of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    /// Envoy's bootstrap.
    Bootstrap,
    /// Parts of an Envoy configuration: a file for LDS or CDS, HTTP filters, listeners and clusters to merge.
    Pieces,
    /// A Kubernetes resource.
    Kubernetes,
    /// Anything else: one of Traefik's forms, or an unknown one.
    Other,
}

/// Fields that only a bootstrap has.
const BOOTSTRAP: [&str; 5] =
    ["static_resources", "dynamic_resources", "bootstrap_extensions", "layered_runtime", "cluster_manager"];

/// Fields that hold parts of Envoy's configuration.
pub(super) const PIECES: [&str; 4] = ["http_filters", "filter_chains", "listeners", "clusters"];

/// Words of which every text of these kinds has at least one.
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

/// True if a text may be anything but [`DocumentKind::Other`]. Searching for words is cheaper than parsing.
pub fn may_be_envoys(text: &str) -> bool {
    WORDS.iter().any(|word| text.contains(word))
}

/// The kind of this document.
pub fn kind(top: &At<'_>) -> DocumentKind {
    let has_pieces = || PIECES.iter().any(|field| top.entry(field).is_some());
    // No bootstrap has these fields, so a document with both is a part as well.
    if BOOTSTRAP.iter().any(|field| top.entry(field).is_some()) && !has_pieces() {
        return DocumentKind::Bootstrap;
    }
    if top.entry("apiVersion").is_some() && top.entry("kind").is_some() {
        return DocumentKind::Kubernetes;
    }
    let is_resources = || top.list("resources").first().is_some_and(|first| typed(first).is_some());
    let is_filters = || top.items().first().is_some_and(|first| first.entry("typed_config").is_some());
    if typed(top).is_some() || is_resources() || is_filters() || has_pieces() {
        return DocumentKind::Pieces;
    }
    DocumentKind::Other
}
