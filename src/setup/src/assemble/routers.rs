//! `http.routers`.

use std::collections::{BTreeMap, HashMap, HashSet};

use config::rule::{self, MatcherKind, Rule, Syntax};
use config::{Mistake, shortened};

use super::build::Build;
use super::doors::{Door, Doors};
use super::entry_points::EntryPoints;
use super::guards::Guards;
use super::names::{with_ascii_hosts, with_ascii_names};
use super::provider::without_provider;
use super::resolvers::{Resolvers, Wanting};
use super::services::{Reference, Services};
use super::shadows::Shadows;
use super::tls::Tls;
use crate::effective::{DEFAULT_OPTIONS, EffectiveOptions};
use crate::envoy::routes::hosts;
use crate::input::{quoted, wrong};
use crate::model::{HttpRouter, HttpService, RouterTls, Target};
use crate::traefik;
use crate::traefik::http::Router;

/// The objects that routers refer to, besides services.
pub(super) struct Context<'a, 's> {
    pub(super) entry_points: &'a EntryPoints,
    pub(super) tls: &'a Tls,
    /// `core.defaultRuleSyntax`.
    pub(super) default_syntax: Syntax,
    pub(super) guards: &'a Guards,
    /// Closed TCP routers that keep connections from others.
    pub(super) shadows: Shadows,
    pub(super) resolvers: &'a mut Resolvers,
    pub(super) doors: &'a mut Doors<'s>,
}

/// The section of these routers.
const SECTION: &str = "http.routers";

/// All routers with a valid rule, sorted by name. A router that can't be served as intended is closed, and keeps its
/// place.
pub(super) fn routers(
    written: BTreeMap<String, Router>,
    services: &Services<HttpService>,
    context: &mut Context<'_, '_>,
    build: &mut Build<'_>,
) -> Vec<HttpRouter> {
    let mut all = Vec::new();
    let parents = parents(&written);
    for (name, written) in written {
        let path = format!("{SECTION}.{}", shortened(&name));
        let is_parent = parents.contains(&name);
        let leads = match is_parent {
            true => Leads::Nowhere(format!("{path}: other routers have it in their parentRefs, which are not built")),
            false => leads(&path, written.service.as_deref(), services, build),
        };
        let entry_points = entry_points(&path, written.entry_points, context.entry_points, build);
        let Some(rule) = parsed(&path, written.rule, written.rule_syntax.as_deref(), context, build) else { continue };
        if rule.refuse(&path, |kind| !is_of_connections(kind), "a matcher of requests, as Host", build) {
            continue;
        }
        // A router without a tls section has that of each of its entry points, which may make several routers of one.
        let mut by_tls: Vec<(Option<traefik::RouterTls>, Vec<String>)> = Vec::new();
        if let Some(tls) = written.tls {
            by_tls.push((Some(tls), entry_points));
        } else {
            let (with, without) =
                entry_points.into_iter().partition(|name: &String| context.entry_points.tls.contains_key(name));
            by_tls.push((None, without));
            by_tls.extend(with.into_iter().map(|name| (context.entry_points.tls.get(&name).cloned(), vec![name])));
        }
        by_tls.retain(|(_, entry_points)| !entry_points.is_empty());
        let by_tls: Vec<(Option<RouterTls>, Vec<String>)> = by_tls
            .into_iter()
            .map(|(tls, points)| (tls.map(|tls| router_tls(&path, tls, &rule, context, build)), points))
            .collect();
        let mut lacks = context.guards.lacks(&format!("{path}.middlewares"), written.middlewares.as_deref());
        let is_child = written.parent_refs.is_some_and(|parents| !parents.is_empty());
        if is_child {
            lacks.push(format!("{path}.parentRefs: routers behind others are not built"));
        }
        let target = match leads {
            Leads::To { service, lacks: of_service } => {
                lacks.extend(of_service);
                Target::Service(service)
            }
            Leads::Answer(status) => Target::Answer(status),
            Leads::Nowhere(lack) => {
                lacks.push(lack);
                Target::Closed
            }
            Leads::Wrong => continue,
        };
        let priority = priority(written.priority, &rule.text);
        all.push(Prepared { name, path, rule, priority, by_tls, is_child, lacks, target });
    }
    let mut routers = closed_or_open(&all, context, build);
    routers.sort_by(|one, other| one.name.cmp(&other.name));
    routers
}

/// A router before it is decided whether it is closed.
struct Prepared {
    name: String,
    path: String,
    rule: Parsed,
    priority: i64,
    /// The router's TLS settings, each with the entry points that have them.
    by_tls: Vec<(Option<RouterTls>, Vec<String>)>,
    is_child: bool,
    /// The unsupported guards on every entry point.
    lacks: Vec<String>,
    target: Target,
}

/// All routers with a valid rule, each closed if it has unsupported guards.
fn closed_or_open(all: &[Prepared], context: &mut Context<'_, '_>, build: &mut Build<'_>) -> Vec<HttpRouter> {
    let effective = effective(all);
    let mut routers = Vec::new();
    for Prepared { name, path, rule, priority, by_tls, is_child, lacks, target } in all {
        let hosts = hosts(&rule.rule);
        let of_point = |tls: &Option<RouterTls>, point: &str| -> Vec<String> {
            let mut all = context.entry_points.lacks(point).to_vec();
            if let (Some(tls), Some(effective)) = (tls, effective.get(point)) {
                all.extend(context.tls.lacks(path, tls.options.as_deref(), &hosts, effective));
                all.extend(context.shadows.of_http(point, &hosts));
            }
            all
        };
        let is_split = by_tls.len() > 1;
        let mut why = lacks.clone();
        for (tls, points) in by_tls {
            for lack in points.iter().flat_map(|point| of_point(tls, point)) {
                if !why.contains(&lack) {
                    why.push(lack);
                }
            }
        }
        let can_open = matches!(target, Target::Service(_)) && !is_child;
        let is_closed = context.doors.is_closed(&Door { section: SECTION, name, can_open }, why, build);
        // Only its parent would lead to it.
        if *is_child && is_closed {
            continue;
        }
        for (tls, points) in by_tls {
            let (closed, open): (Vec<String>, Vec<String>) = points
                .iter()
                .cloned()
                .partition(|point| is_closed && (!lacks.is_empty() || !of_point(tls, point).is_empty()));
            for (target, entry_points) in [(target.clone(), open), (Target::Closed, closed)] {
                if entry_points.is_empty() {
                    continue;
                }
                let name = match (is_split, entry_points.as_slice(), tls) {
                    (true, [only], Some(_)) => format!("{only}-{name}"),
                    _ => name.clone(),
                };
                routers.push(HttpRouter {
                    name,
                    entry_points,
                    rule_text: rule.text.clone(),
                    rule: rule.rule.clone(),
                    syntax: rule.syntax,
                    priority: *priority,
                    target,
                    tls: tls.clone(),
                });
            }
        }
    }
    routers
}

/// The effective TLS options of hosts, by entry point.
fn effective(all: &[Prepared]) -> HashMap<&str, EffectiveOptions<'_>> {
    let all = all.iter().flat_map(|router| router.by_tls.iter().map(move |(tls, points)| (router, tls, points)));
    EffectiveOptions::by_entry_point(all.filter_map(|(router, tls, points)| {
        let options = tls.as_ref()?.options.as_deref();
        Some((points.as_slice(), (hosts(&router.rule.rule), options)))
    }))
}

/// The names of routers that are others' parents.
fn parents(written: &BTreeMap<String, Router>) -> HashSet<String> {
    let names = written.values().filter_map(|router| router.parent_refs.as_ref()).flatten();
    names.map(|name| without_provider(name.trim()).to_owned()).collect()
}

/// A parsed rule.
pub(super) struct Parsed {
    pub(super) text: String,
    /// The rule, with hosts in ASCII.
    pub(super) rule: Rule,
    pub(super) syntax: Syntax,
}

/// Parses a router's rule.
pub(super) fn parsed(
    path: &str,
    text: Option<String>,
    syntax_name: Option<&str>,
    context: &Context<'_, '_>,
    build: &mut Build<'_>,
) -> Option<Parsed> {
    let syntax = syntax(&format!("{path}.ruleSyntax"), syntax_name, context.default_syntax, build);
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
    /// Reports matchers that are not valid in this kind of rule.
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

/// Parses `v2` or `v3`.
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

/// The priority. As in Traefik 0 counts as absent, and the default is the length of the rule.
pub(super) fn priority(written: Option<i64>, rule: &str) -> i64 {
    written.filter(|priority| *priority != 0).unwrap_or_else(|| i64::try_from(rule.len()).unwrap_or(i64::MAX))
}

/// The destination of a router.
pub(super) enum Leads {
    /// The service with this name; `lacks` are the guards among its middlewares.
    To { service: String, lacks: Vec<String> },
    /// A response with this status.
    Answer(u16),
    /// An unsupported service, with the reason.
    Nowhere(String),
    /// A mistake, which is already reported.
    Wrong,
}

/// Traefik's service that does nothing but answer, for routers with middlewares that answer instead.
const NOOP: &str = "noop@internal";

/// The destination of a router.
pub(super) fn leads<T>(path: &str, name: Option<&str>, services: &Services<T>, build: &mut Build<'_>) -> Leads {
    let path = format!("{path}.service");
    let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) else {
        build.wrong(&path, "nothing", "the name of a service");
        return Leads::Wrong;
    };
    if name == NOOP {
        return Leads::Answer(418);
    }
    if name.ends_with("@internal") {
        return Leads::Nowhere(format!("{path}: {} is Traefik's own, and not supported", shortened(name)));
    }
    let plain = without_provider(name);
    match services.find(plain) {
        Reference::Known(lacks) => Leads::To { service: plain.to_owned(), lacks },
        Reference::LeftOut(kind) => {
            Leads::Nowhere(format!("{path}: the service {} is {kind}, which is not built", shortened(plain)))
        }
        Reference::Missing => {
            build.unknown(&path, name, "services", services.names());
            Leads::Wrong
        }
    }
}

/// The entry points that a router is on; empty if all of them are wrong.
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

/// The router's TLS settings; registers the certificates that it wants with the resolver.
pub(super) fn router_tls(
    path: &str,
    written: traefik::RouterTls,
    rule: &Parsed,
    context: &mut Context<'_, '_>,
    build: &mut Build<'_>,
) -> RouterTls {
    let options = written.options.as_deref().map(str::trim).filter(|name| !name.is_empty()).map(without_provider);
    let known = &context.tls.options;
    if let Some(name) = options.filter(|name| *name != DEFAULT_OPTIONS && !known.contains_key(*name)) {
        let names = known.keys().map(String::as_str).chain(Some(DEFAULT_OPTIONS));
        build.unknown(&format!("{path}.tls.options"), name, "TLS options", names);
    }
    let domains = with_ascii_names(written.domains.unwrap_or_default());
    let resolver = written.cert_resolver.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let resolver = resolver.filter(|name| context.resolvers.can_issue(path, name, build));
    let key = resolver.map(|resolver| {
        // The converted names: the plugin does not have all of Unicode's tables.
        let of_rule = [traefik::Domain { main: None, sans: Some(rule.rule.hosts()) }];
        let is_ascii = rule.text.is_ascii() || rule.rule.hosts().is_empty();
        let domains = if domains.is_empty() && !is_ascii { &of_rule } else { domains.as_slice() };
        context.resolvers.want(&Wanting { path, rule: &rule.text, syntax: rule.syntax, domains, resolver })
    });
    RouterTls {
        resolver: resolver.map(str::to_owned),
        // Filled in when the resolvers are read.
        certificates: Vec::new(),
        key,
        options: options.filter(|name| known.contains_key(*name)).map(str::to_owned),
    }
}
