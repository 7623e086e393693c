//! Which TLS options connections have in the end.
//!
//! Promises: a host whose routers name different options has the default ones, as in Traefik; so has whatever no router
//! names, and a router that names no host. Whoever closes routers and whoever renders them ask here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Traefik's name of the TLS options of whoever names none.
pub(crate) const DEFAULT_OPTIONS: &str = "default";

/// What a router names: its hosts, and its TLS options.
pub(crate) type Named<'r> = (Vec<&'r str>, Option<&'r str>);

/// Which TLS options each host of an entry point has.
#[derive(Default)]
pub(crate) struct EffectiveOptions<'r> {
    of_host: HashMap<&'r str, &'r str>,
}

impl<'r> EffectiveOptions<'r> {
    /// Those of all routers of one entry point.
    pub(crate) fn of(routers: impl Iterator<Item = Named<'r>>) -> Self {
        let mut all = Self::default();
        routers.for_each(|router| all.add(router));
        all
    }

    /// Those of each entry point, from routers with the ones that they are on.
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
            let known = self.of_host.entry(host).or_insert(options);
            if *known != options {
                *known = DEFAULT_OPTIONS;
            }
        }
    }

    /// All hosts that have a router.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &'r str> {
        self.of_host.keys().copied()
    }

    /// The hosts of each; the default ones are always there.
    pub(crate) fn groups(&self) -> BTreeMap<&'r str, BTreeSet<&'r str>> {
        let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::from([(DEFAULT_OPTIONS, BTreeSet::new())]);
        for (host, options) in &self.of_host {
            groups.entry(options).or_default().insert(host);
        }
        groups
    }

    /// Those of a host.
    pub(crate) fn of_name(&self, name: &str) -> &'r str {
        self.of_host.get(name).copied().unwrap_or(DEFAULT_OPTIONS)
    }

    /// Those of all these hosts of a router, or the default ones.
    pub(crate) fn of_router(&self, hosts: &[&str]) -> &'r str {
        let mut all = hosts.iter().map(|host| self.of_name(host));
        let first = all.next().unwrap_or(DEFAULT_OPTIONS);
        if all.all(|other| other == first) { first } else { DEFAULT_OPTIONS }
    }
}
