//! Finds the clusters that lead to the sidecar or to Envoy's admin interface: by their names, and by their endpoints.

use std::collections::BTreeMap;

use yaml::At;

use super::super::gather::Envoy;
use super::super::plugin::Plugin;
use super::super::typed::typed;
use crate::address::Address;
use crate::envoy::Options;
use crate::envoy::clusters::{API, SDS};

/// A destination that no client's requests may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Destination {
    /// Envoy's admin interface.
    Admin,
    /// The sidecar's API.
    Api,
    /// The sidecar's SDS.
    Sds,
}

impl Destination {
    /// The destination's name for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Admin => "Envoy's admin interface",
            Self::Api => "the sidecar's API",
            Self::Sds => "the sidecar's SDS",
        }
    }

    /// The instruction to write instead.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Admin => {
                "no route there except exact ones to /stats or /ready: clients that come this way can read the whole \
                 configuration with its secrets, and stop Envoy"
            }
            Self::Api => {
                "no route there except the plugin's own calls (sidecar.cluster): behind it are account keys and orders; for /metrics \
                 and /status there is --status-address"
            }
            Self::Sds => "no use except in SDS configurations of TLS contexts: behind it are private keys",
        }
    }
}

/// The clusters and addresses of each destination.
pub(super) struct Destinations<'a> {
    clusters: BTreeMap<&'a str, Destination>,
    addresses: Vec<(Address, Destination)>,
}

impl<'a> Destinations<'a> {
    /// Finds all destinations in a configuration.
    pub(super) fn of(tops: &[At<'a>], envoy: &Envoy<'a>, plugins: &[Plugin<'a>]) -> Self {
        let sds = super::super::sds::ours(envoy, plugins);
        let apis = plugins.iter().filter_map(|plugin| plugin.config.as_ref());
        let apis = apis.map(|configured| configured.config.sidecar_cluster.as_str()).chain([API]);
        let apis: Vec<&str> = apis.filter(|name| !name.is_empty()).collect();
        let of_name = |name: &str| match name {
            _ if apis.contains(&name) => Some(Destination::Api),
            _ if name == SDS || sds.contains(&name) => Some(Destination::Sds),
            _ => None,
        };
        let defaults = Options::default();
        let mut addresses = vec![
            (Address::pipe(&defaults.api_socket), Destination::Api),
            (Address::pipe(&defaults.sds_socket), Destination::Sds),
        ];
        for top in tops {
            let admin = top.find("admin.address").map(|at| listed(&at)).unwrap_or_default();
            addresses.extend(admin.into_iter().map(|address| (address, Destination::Admin)));
        }
        let assignments: Vec<(&str, At<'_>)> = tops.iter().flat_map(assignments).collect();
        let ends: Vec<(&str, Vec<Address>)> = envoy
            .clusters
            .iter()
            .map(|cluster| {
                let name = cluster.text_of("name").unwrap_or_default();
                let mut ends = cluster.get("load_assignment").map(|at| listed(&at)).unwrap_or_default();
                let service = cluster.text_of("eds_cluster_config.service_name").unwrap_or(name);
                ends.extend(assignments.iter().filter(|(of, _)| *of == service).flat_map(|(_, at)| listed(at)));
                (name, ends)
            })
            .collect();
        for (name, ends) in &ends {
            let destination = of_name(name);
            addresses.extend(destination.into_iter().flat_map(|to| ends.iter().map(move |end| (end.clone(), to))));
        }
        let mut clusters: BTreeMap<&str, Destination> =
            BTreeMap::from([(API, Destination::Api), (SDS, Destination::Sds)]);
        for (name, ends) in ends {
            let leads = || addresses.iter().find(|(known, _)| ends.iter().any(|end| end.reaches(known)));
            if let Some(destination) = of_name(name).or_else(|| leads().map(|(_, destination)| *destination)) {
                clusters.insert(name, destination);
            }
        }
        // Also for files without clusters.
        for name in plugins.iter().filter_map(|plugin| plugin.at.text_of("configuration.value.sidecar.cluster")) {
            clusters.entry(name).or_insert(Destination::Api);
        }
        Self { clusters, addresses }
    }

    /// The destination of this cluster, if it has one.
    pub(super) fn of_cluster(&self, name: &str) -> Option<Destination> {
        self.clusters.get(name).copied()
    }

    /// The destination of a gRPC target: `unix:/run/a.sock`, `dns:///localhost:9901`.
    pub(super) fn of_target(&self, target: &str) -> Option<Destination> {
        let address = match target.strip_prefix("unix:") {
            Some(path) => Address::pipe(path),
            None => {
                let (host, port) = target.rsplit(['/', ' ']).next().unwrap_or(target).rsplit_once(':')?;
                Address::tcp(host, port.parse().ok()?)
            }
        };
        self.addresses.iter().find(|(known, _)| address.reaches(known)).map(|(_, destination)| *destination)
    }

    /// A cluster with a destination whose name occurs in this text as a word.
    pub(super) fn named_in(&self, text: &str) -> Option<(&'a str, Destination)> {
        let is_word = |name: &str| {
            let is_part = |c: char| c.is_alphanumeric() || "-_.".contains(c);
            text.match_indices(name).any(|(start, _)| {
                let (before, rest) = text.split_at(start);
                !before.ends_with(is_part) && !rest.strip_prefix(name).unwrap_or_default().starts_with(is_part)
            })
        };
        self.clusters.iter().find(|(name, _)| is_word(name)).map(|(name, destination)| (*name, *destination))
    }

    /// A port of this machine on which the admin interface listens.
    pub(super) fn admin_port(&self) -> Option<u16> {
        self.addresses.iter().find_map(|(address, destination)| match address {
            Address::Tcp(_, port) if *destination == Destination::Admin => Some(*port),
            _ => None,
        })
    }
}

/// The endpoints of clusters that are configured apart from them (EDS), by their service names.
fn assignments<'a>(top: &At<'a>) -> Vec<(&'a str, At<'a>)> {
    let resources = top.list("resources").into_iter().chain([top.clone()]);
    let of_cluster = |at: At<'a>| {
        let typed = typed(&at).filter(|typed| typed.name == "ClusterLoadAssignment")?;
        Some((typed.at.text_of("cluster_name")?, typed.at))
    };
    resources.filter_map(of_cluster).collect()
}

/// All addresses in this node or below.
fn listed(at: &At<'_>) -> Vec<Address> {
    let mut found = Vec::new();
    let socket = at.get("socket_address");
    found.extend(at.find("pipe.path").and_then(|path| path.text()).map(Address::pipe));
    found.extend(socket.and_then(|socket| {
        let port = u16::try_from(socket.number_of("port_value")?).ok()?;
        Some(Address::tcp(socket.text_of("address")?, port))
    }));
    found.extend(at.items().iter().flat_map(listed));
    found.extend(at.members().iter().flat_map(|(_, member)| listed(member)));
    found
}
