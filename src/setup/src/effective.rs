//! Effective TLS options of each host.
//!
//! Promises: a host whose routers name different options gets the default options, as in Traefik; so do hosts without a
//! router, and routers without a host. Closing routers and rendering them both use this module.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Traefik's name of the TLS options of routers that name none.
pub(crate) const DEFAULT_OPTIONS: &str = "default";

/// A router's hosts, and the TLS options that the router names.
pub(crate) type Named<'r> = (Vec<&'r str>, Option<&'r str>);

/// Effective TLS options of each host of one entry point.
#[derive(Default)]
pub(crate) struct EffectiveOptions<'r> {
    of_host: HashMap<&'r str, &'r str>,
}

impl<'r> EffectiveOptions<'r> {
    /// Collects the options from all routers of one entry point.
    pub(crate) fn of(routers: impl Iterator<Item = Named<'r>>) -> Self {
        let mut all = Self::default();
        routers.for_each(|router| all.add(router));
        all
    }

    /// Collects the options of every entry point, from routers with the entry points that they are on.
    pub(crate) fn by_entry_point(routers: impl Iterator<Item = (&'r [String], Named<'r>)>) -> HashMap<&'r str, Self> {
        let mut all: HashMap<&str, Self> = HashMap::new();
        for (entry_points, named) in routers {
            for entry_point in entry_points {
                all.entry(entry_point).or_default().add(named.clone());
            }
        }
        all
    }

    fn add(&mut self, (hosts, options): Named<'r>) {
        let options = options.unwrap_or(DEFAULT_OPTIONS);
        for host in hosts {
            let effective = self.of_host.entry(host).or_insert(options);
            if *effective != options {
                *effective = DEFAULT_OPTIONS;
            }
        }
    }

    /// All hosts that have a router.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &'r str> {
        self.of_host.keys().copied()
    }

    /// The hosts of each set of TLS options; the default options are always in the map.
    pub(crate) fn groups(&self) -> BTreeMap<&'r str, BTreeSet<&'r str>> {
        let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::from([(DEFAULT_OPTIONS, BTreeSet::new())]);
        for (host, options) in &self.of_host {
            groups.entry(options).or_default().insert(host);
        }
        groups
    }

    /// The options of a host.
    pub(crate) fn of_name(&self, name: &str) -> &'r str {
        self.of_host.get(name).copied().unwrap_or(DEFAULT_OPTIONS)
    }

    /// The options that all of these hosts share, or the default options.
    pub(crate) fn of_router(&self, hosts: &[&str]) -> &'r str {
        let mut all = hosts.iter().map(|host| self.of_name(host));
        let first = all.next().unwrap_or(DEFAULT_OPTIONS);
        if all.all(|other| other == first) { first } else { DEFAULT_OPTIONS }
    }
}
