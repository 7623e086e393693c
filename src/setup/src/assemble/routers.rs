//! `http.routers`.

use std::collections::BTreeMap;

use resolver::config::rule::{self, MatcherKind, Rule, Syntax};
use resolver::config::{Mistake, shortened};

use super::Build;
use super::entry_points::EntryPoints;
use super::names::{certificates, with_ascii_hosts, with_ascii_names};
use super::resolvers::{Resolvers, Wanting};
use super::services::{Reference, Services};
use super::tls::{DEFAULT, Tls};
use crate::input::{quoted, wrong};
use crate::model::{HttpRouter, HttpService, RouterTls};
use crate::traefik;
use crate::traefik::http::Router;

/// What routers refer to, besides services and resolvers.
pub(super) struct World<'a> {
    pub(super) entry_points: &'a EntryPoints,
    pub(super) tls: &'a Tls,
    /// `core.defaultRuleSyntax`.
    pub(super) default_syntax: Syntax,
}

/// All routers that can be served, sorted by name.
pub(super) fn routers(
    written: BTreeMap<String, Router>,
    world: &World<'_>,
    services: &Services<HttpService>,
    resolvers: &mut Resolvers,
    build: &mut Build<'_>,
) -> Vec<HttpRouter> {
    let mut routers = Vec::new();
    for (name, written) in written {
        let path = format!("http.routers.{}", shortened(&name));
        let service = service(&path, written.service.as_deref(), services.names(), |name| services.find(name), build);
        let entry_points = entry_points(&path, written.entry_points, world.entry_points, build);
        let Some(rule) = parsed(&path, written.rule, written.rule_syntax.as_deref(), world, build) else { continue };
        if rule.refuse(&path, |kind| !is_of_connections(kind), "a matcher of requests, as Host", build) {
            continue;
        }
        // Routers that say nothing of TLS do it as each of their entry points says, which makes several of one.
        let mut by_tls: Vec<(Option<traefik::RouterTls>, Vec<String>)> = Vec::new();
        if let Some(tls) = written.tls {
            by_tls.push((Some(tls), entry_points));
        } else {
            let (with, without) =
                entry_points.into_iter().partition(|name: &String| world.entry_points.tls.contains_key(name));
            by_tls.push((None, without));
            by_tls.extend(with.into_iter().map(|name| (world.entry_points.tls.get(&name).cloned(), vec![name])));
        }
        by_tls.retain(|(_, entry_points)| !entry_points.is_empty());
        let is_split = by_tls.len() > 1;
        for (tls, entry_points) in by_tls {
            let tls = tls.map(|written| router_tls(&path, written, &rule, world, resolvers, build));
            let (Some(service), false) = (&service, entry_points.is_empty()) else { continue };
            let name = match (is_split, entry_points.as_slice(), &tls) {
                (true, [only], Some(_)) => format!("{only}-{name}"),
                _ => name.clone(),
            };
            routers.push(HttpRouter {
                name,
                entry_points,
                rule_text: rule.text.clone(),
                rule: rule.rule.clone(),
                syntax: rule.syntax,
                priority: priority(written.priority, &rule.text),
                service: service.clone(),
                tls,
            });
        }
    }
    routers.sort_by(|one, other| one.name.cmp(&other.name));
    routers
}

/// A rule that was read.
pub(super) struct Parsed {
    pub(super) text: String,
    /// With hosts in ASCII.
    pub(super) rule: Rule,
    pub(super) syntax: Syntax,
}

/// Reads a router's rule.
pub(super) fn parsed(
    path: &str,
    text: Option<String>,
    syntax_name: Option<&str>,
    world: &World<'_>,
    build: &mut Build<'_>,
) -> Option<Parsed> {
    let syntax = syntax(&format!("{path}.ruleSyntax"), syntax_name, world.default_syntax, build);
    let path = format!("{path}.rule");
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
        build.wrong(&path, "nothing", "a rule, as Host(`example.com`)");
        return None;
    };
    match rule::parse(&text, syntax) {
        Ok(rule) => Some(Parsed { text, rule: with_ascii_hosts(rule), syntax }),
        Err(error) => {
            let mistake = wrong(&path, &quoted(&text), &error.to_string());
            build.push(Mistake { nearest: error.nearest, ..mistake });
            None
        }
    }
}

impl Parsed {
    /// Says which matcher a rule of this kind can't have.
    pub(super) fn refuse(
        &self,
        path: &str,
        is_right: fn(MatcherKind) -> bool,
        expected: &str,
        build: &mut Build<'_>,
    ) -> bool {
        let mut open = vec![&self.rule];
        while let Some(rule) = open.pop() {
            match rule {
                Rule::All(rules) | Rule::Any(rules) => open.extend(rules),
                Rule::Not(rule) => open.push(rule),
                Rule::Match(matcher) if is_right(matcher.kind) => {}
                Rule::Match(matcher) => {
                    let expected = format!("{expected}, at column {}", matcher.column);
                    build.wrong(&format!("{path}.rule"), &quoted(&self.text), &expected);
                    return true;
                }
            }
        }
        false
    }
}

fn is_of_connections(kind: MatcherKind) -> bool {
    matches!(kind, MatcherKind::Alpn | MatcherKind::HostSni | MatcherKind::HostSniRegexp)
}

/// `v2` or `v3`.
pub(super) fn syntax(path: &str, name: Option<&str>, default: Syntax, build: &mut Build<'_>) -> Syntax {
    match name.map(str::trim) {
        None | Some("") => default,
        Some("v2") => Syntax::V2,
        Some("v3") => Syntax::V3,
        Some(other) => {
            build.wrong(path, &quoted(other), "v3 or v2");
            default
        }
    }
}

/// As in Traefik 0 is as good as none, and the default is the length of the rule.
pub(super) fn priority(written: Option<i64>, rule: &str) -> i64 {
    written.filter(|priority| *priority != 0).unwrap_or_else(|| i64::try_from(rule.len()).unwrap_or(i64::MAX))
}

/// The service that a router leads to; none when there is a mistake, or it leads to what is left out.
pub(super) fn service<'n>(
    path: &str,
    name: Option<&str>,
    known: impl Iterator<Item = &'n str> + Clone,
    find: impl Fn(&str) -> Reference,
    build: &mut Build<'_>,
) -> Option<String> {
    let (router, path) = (path, format!("{path}.service"));
    let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) else {
        build.wrong(&path, "nothing", "the name of a service");
        return None;
    };
    if name.ends_with("@internal") {
        build.left_out(router, &format!("leads to Traefik's own service {}", shortened(name)));
        return None;
    }
    let plain = without_provider(name);
    match find(plain) {
        Reference::Known => return Some(plain.to_owned()),
        Reference::LeftOut => {
            build.left_out(router, &format!("leads to the service {}, which is left out", shortened(plain)));
        }
        Reference::Missing => build.unknown(&path, name, "services", known),
    }
    None
}

/// Traefik's name for what stands in files.
pub(super) fn without_provider(name: &str) -> &str {
    name.strip_suffix("@file").unwrap_or(name)
}

/// The entry points that a router is on; empty when all of them are wrong.
pub(super) fn entry_points(
    path: &str,
    names: Option<Vec<String>>,
    known: &EntryPoints,
    build: &mut Build<'_>,
) -> Vec<String> {
    let names = names.unwrap_or_default();
    if names.is_empty() {
        return known.defaults.clone();
    }
    let mut list: Vec<String> = Vec::with_capacity(names.len());
    for (index, name) in names.into_iter().enumerate() {
        if known.get(&name).is_some() {
            if !list.contains(&name) {
                list.push(name);
            }
        } else if !known.names.contains(&name) {
            let path = format!("{path}.entryPoints[{index}]");
            build.unknown(&path, &name, "entry points", known.names.iter().map(String::as_str));
        }
    }
    list
}

/// How a router does TLS; the resolver hears of it.
pub(super) fn router_tls(
    path: &str,
    written: traefik::RouterTls,
    rule: &Parsed,
    world: &World<'_>,
    resolvers: &mut Resolvers,
    build: &mut Build<'_>,
) -> RouterTls {
    let options = written.options.as_deref().map(str::trim).filter(|name| !name.is_empty()).map(without_provider);
    let known = &world.tls.options;
    if let Some(name) = options.filter(|name| *name != DEFAULT && !known.contains_key(*name)) {
        let names = known.keys().map(String::as_str).chain(Some(DEFAULT));
        build.unknown(&format!("{path}.tls.options"), name, "TLS options", names);
    }
    let domains = with_ascii_names(written.domains.unwrap_or_default());
    let resolver = written.cert_resolver.as_deref().map(str::trim).filter(|name| !name.is_empty());
    if let Some(resolver) = resolver {
        // The names as they are now: the plugin does not know all that is known here.
        let of_rule = [traefik::Domain { main: None, sans: Some(rule.rule.hosts()) }];
        let is_ascii = rule.text.is_ascii() || rule.rule.hosts().is_empty();
        let domains = if domains.is_empty() && !is_ascii { &of_rule } else { domains.as_slice() };
        resolvers.want(&Wanting { path, rule: &rule.text, syntax: rule.syntax, domains, resolver });
    }
    let certificates = match resolver {
        Some(_) => certificates(&domains, &rule.rule),
        None => Vec::new(),
    };
    RouterTls {
        resolver: resolver.map(str::to_owned),
        certificates,
        options: options.filter(|name| known.contains_key(*name)).map(str::to_owned),
    }
}
