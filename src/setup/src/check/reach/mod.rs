//! Who can reach the sidecar through Envoy, and Envoy's own admin interface: nobody but the plugin and TLS contexts.
//!
//! Whatever names a cluster sends somebody's requests there. A request that gets to the sidecar's sockets comes from
//! Envoy, whom the sidecar trusts; one that gets to the admin interface reads the whole configuration, and stops Envoy.
//!
//! | file | what it does |
//! |---|---|
//! | `address.rs` | addresses, so that two ways to write one are the same |
//! | `destinations.rs` | which clusters lead there |
//! | `walk.rs` | whatever names a cluster, wherever it stands |
//! | `mesh.rs` | the same of Istio's resources |
//! | `admin.rs` | what of the admin interface may be shown, and where it listens |

mod address;
mod admin;
mod destinations;
pub(super) mod mesh;
#[cfg(test)]
mod tests;
mod walk;

use super::finding::quoted;
use super::gather::Envoy;
use super::kind::Kind;
use super::plugin::Plugin;
use super::{Document, Finding, Report};
use crate::located::At;
use destinations::{Destination, Destinations};
use walk::{Use, What};

pub(super) fn check<'a>(documents: &'a [Document], envoy: &Envoy<'a>, plugins: &[Plugin<'a>], report: &mut Report) {
    let tops: Vec<_> = documents.iter().map(Document::top).collect();
    let envoys: Vec<_> =
        tops.iter().filter(|top| matches!(super::kind(top), Kind::Bootstrap | Kind::Pieces)).cloned().collect();
    let destinations = Destinations::of(&envoys, envoy, plugins);
    for found in walk::uses(&envoys, plugins) {
        report_use(&found, &destinations, documents, report);
    }
    envoys.iter().for_each(|top| admin::listens(top, report));
    admin::open_proxies(envoy, &destinations, report);
}

/// The files that a document takes routes from, in a form that can be read.
pub(super) fn route_files<'a>(top: &At<'a>) -> impl Iterator<Item = &'a str> {
    let is_yaml = |file: &&str| [".yaml", ".yml", ".json"].iter().any(|end| file.ends_with(end));
    let elsewhere = |found: Use<'a>| if let What::Elsewhere(file) = found.what { file } else { None };
    walk::uses(std::slice::from_ref(top), &[]).into_iter().filter_map(elsewhere).filter(is_yaml)
}

fn report_use(found: &Use<'_>, destinations: &Destinations<'_>, documents: &[Document], report: &mut Report) {
    let Use { at, what, route } = found;
    match *what {
        What::Cluster(name) => {
            let Some(destination) = destinations.of_cluster(name) else { return };
            if destination != Destination::Admin || !route.as_ref().is_some_and(admin::is_harmless) {
                let found = format!("the cluster {}, which leads to {}", quoted(name), destination.name());
                report.mistake(Finding::at(at, found, destination.expected()));
            }
        }
        What::Target(target) => {
            if let Some(destination) = destinations.of_target(target) {
                let found = format!("{}, which is {}", quoted(target), destination.name());
                report.mistake(Finding::at(at, found, destination.expected()));
            }
        }
        What::Code(text) => {
            if let Some((name, destination)) = destinations.named_in(text) {
                let found =
                    format!("code that names the cluster {}, which leads to {}", quoted(name), destination.name());
                report.mistake(Finding::at(at, found, destination.expected()));
            }
        }
        What::Chosen(how) => {
            let expected = "a cluster that the configuration names: whoever sends the request may choose one of the \
                            sidecar's, whose requests count as Envoy's own";
            report.warning(Finding::at(at, format!("a cluster that {how}"), expected));
        }
        // Istio's alone.
        What::Host(_) => {}
        What::Elsewhere(file) => {
            if file.is_some_and(|file| documents.iter().any(|document| document.source == file)) {
                return;
            }
            let from = file.map_or_else(|| "a management server".to_owned(), |file| format!("the file {file}"));
            let expected = "nothing: routes that come from there are not checked";
            report.warning(Finding::at(at, format!("routes from {from}"), expected));
        }
    }
}
