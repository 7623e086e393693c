//! What is wrong with an Envoy configuration that uses the plugin, and what to write instead.
//!
//! [`envoy`] takes texts: bootstraps, files of listeners and clusters, HTTP filters alone, resources of Istio's and Envoy
//! Gateway's. It says
//! every mistake at once, each with its file and line. What a management server hands out it can't see, and says so.

mod ca_tls;
mod clusters;
mod embedded;
mod envoy_gateway;
mod everything;
mod filters;
mod finding;
mod foreign;
pub(crate) mod gather;
mod istio;
mod kind;
pub(crate) mod limits;
pub(crate) mod listeners;
mod managers;
mod missing;
mod old_api;
pub(crate) mod plugin;
pub(crate) mod reach;
mod refusal;
mod resource_names;
pub(crate) mod sds;
pub(crate) mod tls_alpn01;
mod tokens;
pub(crate) mod typed;
pub(crate) mod version;

use std::rc::Rc;

use protocol::SecretText;

use crate::envoy::version::Version;
use crate::located::{At, Broken, Node, read};

pub use embedded::Embedded;
pub use finding::{Finding, Report};
pub use foreign::{no_bootstrap, template};
pub use kind::{Kind, kind, may_be_envoys};
pub use old_api::v2;
pub use refusal::refused;

use gather::Envoy;
use plugin::Plugin;

/// A text, read.
#[derive(Debug)]
pub struct Document {
    /// The name of its file.
    pub source: String,
    /// Its tree; of a file with several, one of them.
    pub tree: Rc<Node>,
}

impl Document {
    /// Reads every document of a text.
    ///
    /// # Errors
    /// When it is no YAML.
    pub fn all(source: &str, text: &str) -> Result<Vec<Self>, Broken> {
        Ok(read(text)?.into_iter().map(|tree| Self { source: source.to_owned(), tree }).collect())
    }

    /// Its top.
    pub fn top(&self) -> At<'_> {
        At::top(&self.source, &self.tree)
    }

    /// The files that it takes listeners, clusters, routes and endpoints from, as it names them.
    pub fn files(&self) -> Vec<String> {
        gather::files(&self.top())
    }
}

/// Checks what belongs together: a bootstrap with the files that it names, or files without a bootstrap.
pub fn envoy(documents: &[Document]) -> Report {
    let mut report = Report::default();
    // Of these nothing else can be said.
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
        // An old connection manager is none that could have it.
        if !is_old {
            missing::check(&envoy, documents, &mut report);
        }
        reach::check(documents, &envoy, &plugins, &mut report);
        return report;
    }
    foreign::alone(documents, &mut report);
    plugin::check(&plugins, &mut report);
    filters::check(&envoy, &plugins, &mut report);
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

/// Checks that an Envoy of this version takes what stands in documents.
pub fn for_version(documents: &[Document], version: Version) -> Report {
    let mut report = Report::default();
    version::check(documents, version, &mut report);
    report
}

/// The tokens of the sidecar's that stand in documents: whoever shows what somebody else says of them leaves these out.
pub fn known_tokens(documents: &[Document]) -> Vec<SecretText> {
    let mut unsaid = Report::default();
    let plugins = Plugin::all(&Envoy::gather(documents, &mut unsaid), &mut unsaid);
    tokens::all(documents, &plugins)
}

/// Checks resources of Kubernetes that belong together: Istio's, or Envoy Gateway's.
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
