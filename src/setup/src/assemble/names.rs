//! Names of certificates, and hosts in rules.

use std::collections::HashSet;

use config::coverage::Coverage;
use config::domain;
use config::rule::{MatcherKind, Rule};

use crate::traefik::Domain;

/// An international name in its ASCII form, mapped with all of Unicode's tables; any other as it stands. The plugin has
/// the tables of some scripts only.
pub(super) fn to_ascii(name: &str) -> String {
    if name.is_ascii() {
        return name.to_owned();
    }
    let name = name.trim();
    let (prefix, host) = match name.strip_prefix("*.") {
        Some(host) => ("*.", host),
        None => ("", name),
    };
    idna::domain_to_ascii(host).map_or_else(|_| name.to_owned(), |host| format!("{prefix}{host}"))
}

/// The hosts of a rule as requests have them: ASCII, in lower case, without a dot at the end.
pub(super) fn with_ascii_hosts(rule: Rule) -> Rule {
    match rule {
        Rule::All(rules) => Rule::All(rules.into_iter().map(with_ascii_hosts).collect()),
        Rule::Any(rules) => Rule::Any(rules.into_iter().map(with_ascii_hosts).collect()),
        Rule::Not(rule) => Rule::Not(Box::new(with_ascii_hosts(*rule))),
        Rule::Match(mut matcher) => {
            if matches!(matcher.kind, MatcherKind::Host | MatcherKind::HostSni) {
                for host in &mut matcher.arguments {
                    let ascii = to_ascii(host).to_ascii_lowercase();
                    let ascii = ascii.trim();
                    *host = ascii.strip_suffix('.').unwrap_or(ascii).to_owned();
                }
            }
            Rule::Match(matcher)
        }
    }
}

/// The same in `tls.domains`.
pub(super) fn with_ascii_names(domains: Vec<Domain>) -> Vec<Domain> {
    let ascii = |domain: Domain| Domain {
        main: domain.main.as_deref().map(to_ascii),
        sans: domain.sans.map(|sans| sans.iter().map(|name| to_ascii(name)).collect()),
    };
    domains.into_iter().map(ascii).collect()
}

/// The certificates of a router as the plugin orders them: each name once in all of them, and none that a wildcard there
/// covers. What is no name is left out: whoever reads the plugin's configuration says so.
pub(super) fn certificates(domains: &[Domain], rule: &Rule) -> Vec<Vec<String>> {
    let name = |text: &String| domain::parse(text).ok().map(|domain| domain.name);
    let mut lists: Vec<Vec<String>> = match domains {
        [] => vec![rule.hosts().iter().filter_map(name).collect()],
        domains => {
            let all = domains.iter().map(|domain| domain.main.iter().chain(domain.sans.iter().flatten()));
            all.map(|names| names.filter_map(name).collect()).collect()
        }
    };
    let is_wildcard = |name: &String| name.starts_with('*');
    let wildcards: Vec<String> = lists.iter().flatten().filter(|name| is_wildcard(name)).cloned().collect();
    let mut covered = Coverage::default();
    wildcards.iter().for_each(|name| covered.add(name));
    let mut seen = HashSet::new();
    for list in &mut lists {
        list.retain(|name| (is_wildcard(name) || !covered.covers(name)) && seen.insert(name.clone()));
    }
    lists.retain(|list| !list.is_empty());
    lists
}
