//! Checks who can reach the sidecar, and Envoy's own admin interface, through Envoy: only the plugin and TLS contexts
//! may.
//!
//! Every use of a cluster sends somebody's requests there. To the sidecar's sockets they come as Envoy's own, whose
//! user the sidecar trusts; at the admin interface they can read the whole configuration, and stop Envoy.
//!
//! | file | its part |
//! |---|---|
//! | `destinations.rs` | the clusters that lead there |
//! | `walk.rs` | every use of a cluster, wherever it is |
//! | `mesh.rs` | the same for Istio's resources |
//! | `admin.rs` | the harmless pages of the admin interface, and its listening address |

mod admin;
mod destinations;
pub(super) mod mesh;
#[cfg(test)]
mod tests;
pub(super) mod walk;

use super::document::Document;
use super::finding::quoted;
use super::gather::Envoy;
use super::kind::DocumentKind;
use super::plugin::Plugin;
use super::{Finding, Report};
use destinations::{Destination, Destinations};
use walk::{Use, What};

pub(super) fn check<'a>(documents: &'a [Document], envoy: &Envoy<'a>, plugins: &[Plugin<'a>], report: &mut Report) {
    let tops: Vec<_> = documents.iter().map(Document::top).collect();
    let envoys: Vec<_> = tops
        .iter()
        .filter(|top| matches!(super::kind(top), DocumentKind::Bootstrap | DocumentKind::Pieces))
        .cloned()
        .collect();
    let destinations = Destinations::of(&envoys, envoy, plugins);
    for found in walk::uses(&envoys, plugins) {
        report_use(&found, &destinations, documents, report);
    }
    envoys.iter().for_each(|top| admin::listens(top, report));
    admin::open_proxies(envoy, &destinations, report);
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
            let expected = "a cluster that the configuration names: whoever sends the request may choose those that lead \
                            to the sidecar and to the admin interface";
            report.warning(Finding::at(at, format!("a cluster that {how}"), expected));
        }
        // Such files are read, and hosts are Istio's alone.
        What::Endpoints(_) | What::Host(_) => {}
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
