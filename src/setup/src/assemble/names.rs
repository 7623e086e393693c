//! Names of certificates, and hosts in rules.

use config::rule::{MatcherKind, Rule};

use crate::traefik::Domain;

/// An international name in its ASCII form, mapped with all of Unicode's tables; any other name unchanged. The plugin
/// has the tables of some scripts only.
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

/// Converts the hosts of a rule to the form in requests: ASCII, in lower case, without a dot at the end.
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

/// Converts the names in `tls.domains` likewise.
pub(super) fn with_ascii_names(domains: Vec<Domain>) -> Vec<Domain> {
    let ascii = |domain: Domain| Domain {
        main: domain.main.as_deref().map(to_ascii),
        sans: domain.sans.map(|sans| sans.iter().map(|name| to_ascii(name)).collect()),
    };
    domains.into_iter().map(ascii).collect()
}
