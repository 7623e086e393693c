//! The names of a router's certificates, in the form that certificates have.

use std::collections::HashSet;

use acme::origin::Origin;

use super::super::mistake::Mistake;
use super::super::node::Node;
use super::super::rule::{self, Syntax};
use super::super::{Resolver, domain};
use crate::coverage::Coverage;

/// Maximum number of names in one certificate: Let's Encrypt's limit.
const MAX_NAMES: usize = 100;

/// The names of one certificate. Never empty.
pub(super) struct List {
    pub(super) names: Vec<String>,
    /// The path that the names were read from.
    pub(super) path: String,
}

/// Reads a router's names.
pub(super) struct Names<'a> {
    /// The router's resolver, if its options have no mistake.
    pub(super) resolver: Option<&'a Resolver>,
    pub(super) warnings: &'a mut Vec<String>,
    pub(super) mistakes: &'a mut Vec<Mistake>,
}

impl Names<'_> {
    /// `tls.domains`: one certificate for each entry.
    pub(super) fn of_domains(&mut self, entries: &[Node<'_>]) -> Vec<List> {
        let lists = entries.iter().filter_map(|node| self.of_domain(node)).collect();
        self.without_needless(lists)
    }

    /// An entry of `tls.domains`: `main`, then `sans`. As in Traefik, the first of `sans` stands in for `main`.
    fn of_domain(&mut self, node: &Node<'_>) -> Option<List> {
        let mut table = node.table(self.mistakes)?;
        let main = table.take("main");
        let sans = table.take("sans").map(|node| node.items("a list of names", self.mistakes)).unwrap_or_default();
        if main.is_none() && sans.is_empty() {
            self.mistakes.push(table.missing("main", "the certificate's main name"));
        }
        table.finish(self.mistakes);
        let nodes = main.into_iter().chain(sans);
        let names = nodes.filter_map(|node| {
            let text = node.text("a DNS name or an IP address", self.mistakes)?;
            self.name(&text, &node)
        });
        Some(List { names: names.collect(), path: node.path().to_owned() })
    }

    /// The hosts of a rule, in one certificate.
    pub(super) fn of_rule(&mut self, node: &Node<'_>, syntax: Syntax) -> Vec<List> {
        let Some(text) = node.text("a rule, as Host(`a.example`)", self.mistakes) else { return Vec::new() };
        let hosts = match rule::parse(&text, syntax) {
            Ok(rule) => rule.hosts(),
            Err(error) => {
                let mistake = node.mistake(&error.to_string());
                self.mistakes.push(Mistake { nearest: error.nearest, ..mistake });
                return Vec::new();
            }
        };
        if hosts.is_empty() {
            self.warnings.push(format!("{}: names no host, so no certificate is ordered for it", node.path()));
        }
        let names = hosts.iter().filter_map(|host| self.name(host, node)).collect();
        self.without_needless(vec![List { names, path: node.path().to_owned() }])
    }

    fn name(&mut self, text: &str, node: &Node<'_>) -> Option<String> {
        let domain = match domain::parse(text) {
            Ok(domain) => domain,
            Err(expected) => {
                self.mistakes.push(node.mistake_in_text(text, expected));
                return None;
            }
        };
        let has = |refuses: fn(&Resolver) -> bool| self.resolver.is_some_and(refuses);
        let refused = match () {
            () if !self.can_prove(&domain.name) && domain.name.starts_with('*') => {
                Some("a name without a wildcard, or a resolver with dnsChallenge, since only DNS-01 proves a wildcard")
            }
            () if !self.can_prove(&domain.name) => {
                Some("a DNS name, or a resolver with httpChallenge or tlsChallenge, since DNS proves no address")
            }
            () if domain.is_single_label() && has(is_lets_encrypt) => {
                Some("a name with at least two labels, as www.example.com: Let's Encrypt certifies no others")
            }
            () => None,
        };
        if let Some(expected) = refused {
            self.mistakes.push(node.mistake_in_text(text, expected));
            return None;
        }
        let (path, name) = (node.path(), &domain.name);
        if domain.had_trailing_dot {
            self.warnings.push(format!("{path}: the dot at the end of {name}. is dropped"));
        }
        if domain.is_single_label() {
            self.warnings.push(format!("{path}: {name} has one label only, which no public CA certifies"));
        }
        Some(domain.name)
    }

    /// True if the resolver has a challenge for the name. A resolver without any challenge is a mistake of its own.
    fn can_prove(&self, name: &str) -> bool {
        self.resolver
            .is_none_or(|resolver| !resolver.has_challenges() || resolver.challenge_choices(name).next().is_some())
    }

    /// Removes names that occur earlier in the router's lists, or that a wildcard there covers; reports lists with too
    /// many names.
    fn without_needless(&mut self, mut lists: Vec<List>) -> Vec<List> {
        let names = lists.iter().flat_map(|list| &list.names);
        let all: Vec<String> = names.filter(|name| is_wildcard(name)).cloned().collect();
        let mut wildcards = Coverage::default();
        wildcards.add_all(&all);
        let mut seen = HashSet::new();
        for List { names, path } in &mut lists {
            names.retain(|name| (is_wildcard(name) || !wildcards.covers(name)) && seen.insert(name.clone()));
            if names.len() > MAX_NAMES {
                self.mistakes.push(Mistake {
                    path: path.clone(),
                    found: format!("{} names", names.len()),
                    expected: format!("at most {MAX_NAMES} names in one certificate"),
                    nearest: None,
                });
            }
        }
        lists.retain(|list| !list.names.is_empty());
        lists
    }
}

fn is_wildcard(name: &str) -> bool {
    name.starts_with('*')
}

fn is_lets_encrypt(resolver: &Resolver) -> bool {
    Origin::of(&resolver.ca_server).is_some_and(|origin| origin.host().ends_with(".letsencrypt.org"))
}
