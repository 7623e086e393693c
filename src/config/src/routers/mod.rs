//! `routers.<name>`: the names that need certificates, and their resolvers.
//!
//! A router of Traefik's can be pasted as it is. Routing is Envoy's business: keys about it have no effect, and one
//! warning for each such key says so.

mod names;
mod of_router;

use std::collections::{HashMap, HashSet};

use super::Resolver;
use super::mistake::{Mistake, listed, nearest, shortened};
use super::node::{Node, Table};
use super::rule::Syntax;
use names::{List, Names};
pub use of_router::OfRouter;
use protocol::CertificateId;

/// Keys of Traefik's routers that do not concern certificates, and their counterparts in Envoy's configuration.
const ELSEWHERE: [(&str, &str); 6] = [
    ("service", "clusters"),
    ("entryPoints", "listeners"),
    ("middlewares", "filters"),
    ("priority", "order of routes"),
    ("observability", "access logs and tracing"),
    ("parentRefs", "routes"),
];

/// The same, for keys in `tls`.
const ELSEWHERE_IN_TLS: [(&str, &str); 2] = [("options", "TLS contexts"), ("passthrough", "filter chains")];

/// The result of reading the routers.
#[derive(Default)]
pub(super) struct Wanted {
    /// The certificates, without repetitions.
    pub(super) wants: Vec<CertificateId>,
    pub(super) warnings: Vec<String>,
}

/// Reads all routers. `names` are those of all resolvers, `resolvers` are the resolvers without a mistake.
pub(super) fn wants(
    node: &Node<'_>,
    names: &[String],
    resolvers: &[Resolver],
    of_router: OfRouter<'_>,
    mistakes: &mut Vec<Mistake>,
) -> Wanted {
    let mut reader = Reader { names, resolvers, warned_of: Vec::new(), warnings: Vec::new() };
    let mut wants = Vec::new();
    // By name: the resolver that certifies it, and the path of the router that said so first.
    let mut owners: HashMap<String, (String, String)> = HashMap::new();
    for (router, node) in node.entries(mistakes) {
        for (id, path) in reader.router(&node, mistakes) {
            of_router(&router, &id);
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
            wants.push(id);
        }
    }
    Wanted { wants: each_once(wants), warnings: reader.warnings }
}

fn each_once(wants: Vec<CertificateId>) -> Vec<CertificateId> {
    let mut known = HashSet::new();
    let is_first: Vec<bool> = wants.iter().map(|id| known.insert(id)).collect();
    wants.into_iter().zip(is_first).filter(|(_, is_first)| *is_first).map(|(id, _)| id).collect()
}

/// Reads the routers in turn.
struct Reader<'a> {
    /// The names of all resolvers, in order.
    names: &'a [String],
    /// The resolvers without a mistake. They are few: a linear search is fine.
    resolvers: &'a [Resolver],
    /// Keys that have been warned about.
    warned_of: Vec<&'static str>,
    warnings: Vec<String>,
}

impl Reader<'_> {
    /// The certificates of one router, each with the path it was read from.
    fn router(&mut self, node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> Vec<(CertificateId, String)> {
        let Some(mut table) = node.table(mistakes) else { return Vec::new() };
        let rule = table.take("rule");
        let syntaxes = [("v3", Syntax::V3), ("v2", Syntax::V2)];
        let syntax = table.take("ruleSyntax").map_or(Some(Syntax::V3), |node| node.choice(&syntaxes, mistakes));
        let tls = table.take("tls");
        self.ignore(&mut table, &ELSEWHERE);
        table.finish(mistakes);
        // Without `tls` a router needs no certificate, as in Traefik.
        let Some(mut tls) = tls.and_then(|node| node.table(mistakes)) else { return Vec::new() };
        let resolver = tls.take("certResolver");
        let domains =
            tls.take("domains").map(|node| node.items("a list of domains, each with main and sans", mistakes));
        self.ignore(&mut tls, &ELSEWHERE_IN_TLS);
        tls.finish(mistakes);
        // Without a resolver, the router's certificate comes from elsewhere.
        let Some(resolver_node) = resolver else {
            if self.warns_first_of("certResolver") {
                let path = node.path();
                self.warnings
                    .push(format!("{path}.tls: no certResolver, here or in other routers: nothing is ordered"));
            }
            return Vec::new();
        };
        let resolver = self.resolver(&resolver_node, mistakes);
        let options = self.resolvers.iter().find(|known| Some(&known.name) == resolver.as_ref());
        let mut names = Names { resolver: options, warnings: &mut self.warnings, mistakes };
        let lists = match (domains.filter(|domains| !domains.is_empty()), &rule, syntax) {
            (Some(domains), _, _) => names.of_domains(&domains),
            (None, Some(rule), Some(syntax)) => names.of_rule(rule, syntax),
            (None, Some(_), None) => Vec::new(),
            (None, None, _) => {
                names.mistakes.push(node.mistake("a rule with Host(), or tls.domains"));
                Vec::new()
            }
        };
        let Some(resolver) = resolver else { return Vec::new() };
        let id = |names| CertificateId { resolver: resolver.clone(), names };
        lists.into_iter().map(|List { names, path }| (id(names), path)).collect()
    }

    fn resolver(&self, node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> Option<String> {
        let name = node.text("the name of a resolver", mistakes)?;
        if self.names.contains(&name) {
            return Some(name);
        }
        let known = self.names.iter().map(String::as_str);
        let expected = match self.names {
            [] => "a resolver, but there is none in certificatesResolvers".to_owned(),
            _ => format!("one of the resolvers {}", listed(known.clone())),
        };
        mistakes.push(Mistake { nearest: nearest(&name, known), ..node.mistake(&expected) });
        None
    }

    /// Takes keys that have no effect here, and warns about each once.
    fn ignore(&mut self, table: &mut Table<'_>, keys: &[(&'static str, &str)]) {
        for (key, place) in keys {
            if let Some(node) = table.take(key)
                && self.warns_first_of(key)
            {
                let path = node.path();
                self.warnings.push(format!(
                    "{path}: without effect, here and in other routers: configure it in Envoy's {place}"
                ));
            }
        }
    }

    fn warns_first_of(&mut self, key: &'static str) -> bool {
        let is_first = !self.warned_of.contains(&key);
        if is_first {
            self.warned_of.push(key);
        }
        is_first
    }
}
