//! `routers.<name>`: which names want a certificate, and of which resolver.

use std::collections::{HashMap, HashSet};

use super::mistake::{Mistake, listed, nearest, shortened};
use super::node::{Node, Table};
use super::{domain, rule};
use crate::vault::CertificateId;

/// The most names in one certificate: Let's Encrypt's limit.
const MAX_NAMES: usize = 100;

/// Keys of Traefik's routers that decide where requests go, which is Envoy's business here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("service", "a route of Envoy's: routers here only say which names want a certificate"),
    ("middlewares", "filters of Envoy's: routers here only say which names want a certificate"),
    ("entryPoints", "a listener of Envoy's: routers here only say which names want a certificate"),
    ("priority", "the order of Envoy's routes: routers here only say which names want a certificate"),
];

/// What the routers want.
#[derive(Default)]
pub(super) struct Wanted {
    /// Each certificate once.
    pub(super) wants: Vec<CertificateId>,
    pub(super) warnings: Vec<String>,
}

/// Reads all routers; `resolvers` are the names that there are.
pub(super) fn wants(node: &Node<'_>, resolvers: &[String], mistakes: &mut Vec<Mistake>) -> Wanted {
    let mut wanted = Wanted::default();
    let mut known: HashSet<CertificateId> = HashSet::new();
    // Name → the resolver that is to certify it, and the path where that was said first.
    let mut owners: HashMap<String, (String, String)> = HashMap::new();
    for (_, node) in node.entries(mistakes) {
        let Some(mut table) = node.table(mistakes) else { continue };
        for (id, path) in router(&node, &mut table, resolvers, &mut wanted.warnings, mistakes) {
            for name in &id.names {
                let (owner, said) = owners.entry(name.clone()).or_insert_with(|| (id.resolver.clone(), path.clone()));
                if *owner != id.resolver {
                    mistakes.push(Mistake {
                        path: path.clone(),
                        found: format!("{} for resolver {}", shortened(name), shortened(&id.resolver)),
                        expected: format!("one resolver for a name: {said} has it for resolver {}", shortened(owner)),
                        nearest: None,
                    });
                }
            }
            if known.insert(id.canonical()) {
                wanted.wants.push(id);
            }
        }
        table.finish_with(ELSEWHERE, mistakes);
    }
    wanted
}

/// The certificates of one router, each with the path that it came from.
fn router(
    node: &Node<'_>,
    table: &mut Table<'_>,
    resolvers: &[String],
    warnings: &mut Vec<String>,
    mistakes: &mut Vec<Mistake>,
) -> Vec<(CertificateId, String)> {
    let rule = table.take("rule");
    // Without `tls` a router wants no certificate, as in Traefik.
    let Some(tls_node) = table.take("tls") else { return Vec::new() };
    let Some(mut tls) = tls_node.table(mistakes) else { return Vec::new() };
    let domains = tls.take("domains").map(|node| node.items("a list of domains, each with main and sans", mistakes));
    let resolver = resolver(&mut tls, resolvers, mistakes);
    tls.finish(mistakes);
    let mut names = Names { warnings, mistakes };
    let lists: Vec<(Vec<String>, String)> = match (domains.filter(|domains| !domains.is_empty()), &rule) {
        (Some(domains), _) => domains.iter().filter_map(|node| names.of_domain(node)).collect(),
        (None, Some(rule)) => names.of_rule(rule).into_iter().collect(),
        (None, None) => {
            names.mistakes.push(node.mistake("a rule with Host(), or tls.domains"));
            Vec::new()
        }
    };
    let Some(resolver) = resolver else { return Vec::new() };
    let id = |names| CertificateId { resolver: resolver.clone(), names };
    lists.into_iter().filter(|(names, _)| !names.is_empty()).map(|(names, path)| (id(names), path)).collect()
}

fn resolver(tls: &mut Table<'_>, resolvers: &[String], mistakes: &mut Vec<Mistake>) -> Option<String> {
    let Some(node) = tls.take("certResolver") else {
        mistakes.push(tls.missing("certResolver", "the name of a resolver"));
        return None;
    };
    let name = node.text("the name of a resolver", mistakes)?;
    if resolvers.contains(&name) {
        return Some(name);
    }
    let known = resolvers.iter().map(String::as_str);
    let expected = match resolvers {
        [] => "a resolver, and there is none in certificatesResolvers".to_owned(),
        _ => format!("one of the resolvers {}", listed(known.clone())),
    };
    mistakes.push(Mistake { nearest: nearest(&name, known), ..node.mistake(&expected) });
    None
}

/// Reads lists of names.
struct Names<'a> {
    warnings: &'a mut Vec<String>,
    mistakes: &'a mut Vec<Mistake>,
}

impl Names<'_> {
    /// One entry of `tls.domains`: `main`, then `sans`.
    fn of_domain(&mut self, node: &Node<'_>) -> Option<(Vec<String>, String)> {
        let mut table = node.table(self.mistakes)?;
        let main = table.take("main");
        let sans = table.take("sans").map(|node| node.items("a list of names", self.mistakes)).unwrap_or_default();
        if main.is_none() {
            self.mistakes.push(table.missing("main", "the certificate's main name"));
        }
        table.finish(self.mistakes);
        let nodes: Vec<Node<'_>> = main.into_iter().chain(sans).collect();
        let names: Vec<String> = nodes.iter().filter_map(|node| self.name_in(node)).collect();
        Some((self.list(node, names), node.path().to_owned()))
    }

    /// The hosts of a rule.
    fn of_rule(&mut self, node: &Node<'_>) -> Option<(Vec<String>, String)> {
        let text = node.text("a rule, as Host(`a.example`)", self.mistakes)?;
        let hosts = match rule::parse(&text, rule::Syntax::default()) {
            Ok(rule) => rule.hosts(),
            Err(error) => {
                let mistake = node.mistake(&error.to_string());
                self.mistakes.push(Mistake { nearest: error.nearest, ..mistake });
                return None;
            }
        };
        let names = hosts.iter().filter_map(|host| self.name(host, node)).collect();
        Some((self.list(node, names), node.path().to_owned()))
    }

    fn name_in(&mut self, node: &Node<'_>) -> Option<String> {
        let text = node.text("a DNS name or an IP address", self.mistakes)?;
        self.name(&text, node)
    }

    fn name(&mut self, text: &str, node: &Node<'_>) -> Option<String> {
        let wrong = |expected: &str| node.mistake_in_text(text, expected);
        match domain::parse(text) {
            Ok(domain) if domain.name.starts_with('*') => {
                self.mistakes
                    .push(wrong("a name without a wildcard, which only DNS-01 can prove; this version has HTTP-01"));
                None
            }
            Ok(domain) => {
                if domain.had_trailing_dot {
                    self.warnings.push(format!("{}: the dot at the end of {}. is dropped", node.path(), domain.name));
                }
                Some(domain.name)
            }
            Err(expected) => {
                self.mistakes.push(wrong(expected));
                None
            }
        }
    }

    /// Each name once, and not too many of them.
    fn list(&mut self, node: &Node<'_>, names: Vec<String>) -> Vec<String> {
        let mut seen = HashSet::new();
        let list: Vec<String> = names.into_iter().filter(|name| seen.insert(name.clone())).collect();
        if list.len() > MAX_NAMES {
            let mistake = node.mistake(&format!("at most {MAX_NAMES} names in one certificate"));
            self.mistakes.push(Mistake { found: format!("{} names", list.len()), ..mistake });
        }
        list
    }
}
