//! Checks an Envoy configuration that uses the plugin: reports mistakes, and what to write instead.
//!
//! [`envoy`] takes texts: bootstraps, files of listeners and clusters, HTTP filters alone, resources of Istio's and
//! Envoy Gateway's. All mistakes are reported at once, each with its file and line. Resources from a management server
//! are not visible; a warning says so.

mod ca_tls;
pub(crate) mod challenge_chain;
mod clusters;
mod config_source;
mod document;
mod embedded;
mod envoy_gateway;
mod everything;
mod files;
mod filters;
mod finding;
mod foreign;
pub(crate) mod gather;
mod istio;
mod istio_resource;
mod kind;
pub(crate) mod limits;
pub(crate) mod listeners;
mod managers;
mod missing;
mod old_api;
pub(crate) mod plugin;
pub(crate) mod reach;
mod redirect;
mod refusal;
mod resource_names;
pub(crate) mod sds;
mod selector;
pub(crate) mod tls_alpn01;
mod tokens;
pub(crate) mod typed;
pub(crate) mod version;

use protocol::SecretText;

use crate::envoy::version::Version;

pub use document::Document;
pub use embedded::Embedded;
pub use finding::{Finding, Report};
pub use foreign::{no_bootstrap, template};
pub use kind::{DocumentKind, kind, may_be_envoys};
pub use old_api::v2;
pub use refusal::refused;

use gather::Envoy;
use plugin::Plugin;

/// Checks documents that belong together: a bootstrap with the files that it names, or files without a bootstrap.
pub fn envoy(documents: &[Document]) -> Report {
    let mut report = Report::default();
    // Nothing else can be said about these documents.
    if let Some(foreign) = foreign::unreadable(documents) {
        report.mistake(foreign);
        return report;
    }
    let envoy = Envoy::gather(documents, &mut report);
    let plugins = Plugin::all(&envoy, &mut report);
    let old = v2(documents);
    let is_old = !old.is_empty();
    report.mistakes.extend(old);
    managers::check(&envoy, &mut report);
    if plugins.is_empty() {
        // A connection manager of the old API can't have the plugin.
        if !is_old {
            missing::check(&envoy, documents, &mut report);
        }
        reach::check(documents, &envoy, &plugins, &mut report);
        return report;
    }
    foreign::alone(documents, &mut report);
    plugin::check(&plugins, &mut report);
    filters::check(&envoy, &plugins, &mut report);
    redirect::check(&envoy, &plugins, &mut report);
    clusters::check(&envoy, &plugins, &mut report);
    ca_tls::check(&envoy, &plugins, &mut report);
    listeners::check(&envoy, &plugins, &mut report);
    sds::check(&envoy, &plugins, &mut report);
    tokens::check(&plugins, &mut report);
    tls_alpn01::check(&envoy, &plugins, &mut report);
    limits::check(documents, &envoy, &mut report);
    reach::check(documents, &envoy, &plugins, &mut report);
    report
}

/// Checks that this version of Envoy takes every field in the documents.
pub fn for_version(documents: &[Document], version: Version) -> Report {
    let mut report = Report::default();
    version::check(documents, version, &mut report);
    report
}

/// The sidecar's tokens in the documents, to be removed from any foreign message about them.
pub fn known_tokens(documents: &[Document]) -> Vec<SecretText> {
    let mut unsaid = Report::default();
    let plugins = Plugin::all(&Envoy::gather(documents, &mut unsaid), &mut unsaid);
    tokens::all(documents, &plugins)
}

/// Checks Kubernetes resources that belong together: Istio's, or Envoy Gateway's.
pub fn kubernetes(documents: &[Document]) -> Report {
    let mut report = Report::default();
    match documents.iter().any(|document| envoy_gateway::is_of(&document.top())) {
        true => envoy_gateway::check(documents, &mut report),
        false => istio::check(documents, &mut report),
    }
    report
}

#[cfg(test)]
mod tests;
