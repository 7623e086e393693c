//! Checks that no requests in an Istio mesh reach the sidecar's API.

use std::collections::BTreeSet;

use yaml::At;

use super::super::finding::quoted;
use super::super::istio_resource::{is, outbound};
use super::super::plugin::Plugin;
use super::super::{Finding, Report};
use super::destinations::Destination;
use super::walk::{self, Use, What};
use crate::address::Address;
use crate::envoy::Options;
use crate::envoy::istio::SIDECAR;

/// Checks Istio's resources.
pub(crate) fn check(resources: &[At<'_>], plugins: &[Plugin<'_>], report: &mut Report) {
    let clusters: BTreeSet<&str> = plugins
        .iter()
        .filter_map(|plugin| plugin.config.as_ref())
        .map(|configured| configured.config.sidecar_cluster.as_str())
        .collect();
    let hosts = hosts(resources, &clusters);
    for Use { at, what, .. } in walk::uses(resources, plugins) {
        let found = match what {
            What::Cluster(name) if clusters.contains(name) => format!("the cluster {}", quoted(name)),
            What::Cluster(name) if outbound(name).is_some_and(|(_, host)| hosts.contains(host)) => {
                format!("the cluster {}", quoted(name))
            }
            What::Host(host) if hosts.contains(host) => format!("the host {}", quoted(host)),
            _ => continue,
        };
        let (name, expected) = (Destination::Api.name(), Destination::Api.expected());
        report.mistake(Finding::at(&at, format!("{found}, which leads to {name}"), expected));
    }
}

/// The hosts that lead to the sidecar's API.
fn hosts<'a>(resources: &[At<'a>], clusters: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    let mut hosts: BTreeSet<&str> =
        clusters.iter().filter_map(|name| Some(outbound(name)?.1)).chain([SIDECAR]).collect();
    let entries = resources.iter().filter(|resource| is(resource, "ServiceEntry"));
    let specs: Vec<At<'_>> = entries.filter_map(|resource| resource.get("spec")).collect();
    let names = |spec: &At<'a>| spec.list("hosts").iter().filter_map(At::text).collect::<Vec<_>>();
    let ends = |spec: &At<'a>| -> Vec<Address> {
        let addresses = spec.list("endpoints");
        let paths = addresses.iter().filter_map(|end| end.text_of("address")?.strip_prefix("unix://"));
        paths.map(Address::pipe).collect()
    };
    let ours = specs.iter().filter(|spec| names(spec).iter().any(|name| hosts.contains(name)));
    let mut sockets: Vec<Address> = ours.flat_map(ends).collect();
    sockets.push(Address::pipe(&Options::default().api_socket));
    for spec in specs.iter().filter(|spec| ends(spec).iter().any(|end| sockets.contains(end))) {
        hosts.extend(names(spec));
    }
    hosts
}
