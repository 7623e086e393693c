//! Virtual hosts: the routes of each host.

use std::collections::{BTreeMap, HashMap};

use config::Mistake;
use serde_json::{Value, json};

use super::candidate::{Action, Candidate, MOST_ROUTES};
use super::matching;

/// The virtual hosts of candidates, in order of precedence.
pub(super) fn virtual_hosts(candidates: &[Candidate<'_>], action: Action<'_>) -> Result<Vec<Value>, Mistake> {
    let everywhere: Vec<usize> = indices(candidates, |candidate| candidate.hosts.is_empty());
    let mut of_host: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        for host in candidate.hosts.iter().chain(&candidate.others) {
            let own = of_host.entry(host).or_default();
            if !candidate.hosts.is_empty() && own.last() != Some(&index) {
                own.push(index);
            }
        }
    }
    // By routes: the hosts that have them.
    let mut groups: Vec<(Vec<usize>, Vec<&str>)> = Vec::new();
    let mut known: HashMap<Vec<usize>, usize> = HashMap::new();
    let mut total = 0_usize;
    for (host, own) in of_host {
        let routes = reachable(candidates, merged(&own, &everywhere), host);
        total = total.saturating_add(routes.len());
        if total > MOST_ROUTES {
            return Err(too_many());
        }
        let group = *known.entry(routes.clone()).or_insert_with(|| {
            groups.push((routes, Vec::new()));
            groups.len() - 1
        });
        if let Some((_, hosts)) = groups.get_mut(group) {
            hosts.push(host);
        }
    }
    let mut all: Vec<Value> = Vec::new();
    for (routes, hosts) in groups {
        let name = hosts.first().copied().unwrap_or_default();
        all.push(virtual_host(name, &hosts, &routes, candidates, action, true));
    }
    let rest = reachable(candidates, everywhere, "");
    if !rest.is_empty() {
        all.push(virtual_host("any other host", &["*"], &rest, candidates, action, false));
    }
    Ok(all)
}

fn indices(candidates: &[Candidate<'_>], wanted: impl Fn(&Candidate<'_>) -> bool) -> Vec<usize> {
    candidates.iter().enumerate().filter(|(_, candidate)| wanted(candidate)).map(|(index, _)| index).collect()
}

/// Merges two lists in order of precedence.
fn merged(one: &[usize], other: &[usize]) -> Vec<usize> {
    let mut all: Vec<usize> = one.iter().chain(other).copied().collect();
    all.sort_unstable();
    all
}

/// Removes routes that are not for this host, and routes after one that matches everything.
fn reachable(candidates: &[Candidate<'_>], routes: Vec<usize>, host: &str) -> Vec<usize> {
    let mut reached = Vec::new();
    for index in routes {
        let Some(candidate) = candidates.get(index) else { continue };
        if candidate.others.iter().any(|other| other == host) {
            continue;
        }
        reached.push(index);
        // In the virtual host for all other hosts, excluded hosts have a virtual host of their own.
        if candidate.conditions.is_empty() {
            break;
        }
    }
    reached
}

fn virtual_host(
    name: &str,
    domains: &[&str],
    routes: &[usize],
    candidates: &[Candidate<'_>],
    action: Action<'_>,
    is_exact: bool,
) -> Value {
    let route = |index: &usize| {
        let candidate = candidates.get(*index)?;
        let conditions = matching::route_match(&candidate.conditions).ok()?;
        let mut route = action(candidate.router, candidate.hosts.is_empty());
        route["name"] = json!(candidate.router.name);
        route["match"] = conditions;
        Some(route)
    };
    let routes: Vec<Value> = routes.iter().filter_map(route).collect();
    let domains: Vec<String> = domains.iter().map(|domain| authority(domain, is_exact)).collect();
    json!({ "name": name, "domains": domains, "routes": routes })
}

/// A domain in the form of `:authority`.
fn authority(domain: &str, is_exact: bool) -> String {
    let is_ipv6 = is_exact && domain.parse::<std::net::Ipv6Addr>().is_ok();
    if is_ipv6 { format!("[{domain}]") } else { domain.to_owned() }
}

fn too_many() -> Mistake {
    Mistake {
        path: "http.routers".to_owned(),
        found: format!("more than {MOST_ROUTES} routes"),
        expected: "fewer routers without Host() in their rules: each is repeated for every host".to_owned(),
        nearest: None,
    }
}
