//! `tcp.routers`.
//!
//! A rule here is one or several `HostSNI`, joined by `||`. A router with any other rule is closed for all connections
//! that it could be for: without its other conditions it would let in connections that Traefik would not. Later routers
//! that may get some of these connections are closed too ([`super::shadows`]).

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use config::rule::{Matcher, MatcherKind, Rule, Syntax};
use config::shortened;

use super::build::Build;
use super::doors::Door;
use super::routers::{Context, Leads, Parsed, entry_points, leads, parsed, priority, router_tls};
use super::services::Services;
use super::shadows::{ANY, is_exact};
use crate::effective::EffectiveOptions;
use crate::model::{TcpRouter, TcpService, TcpTls};
use crate::traefik::RouterTls;
use crate::traefik::tcp::TcpRouter as Written;

/// The section of these routers.
const SECTION: &str = "tcp.routers";

/// All routers with a valid rule, sorted by name. A router that can't be served as intended is closed, and keeps its
/// place.
pub(super) fn routers(
    written: BTreeMap<String, Written>,
    services: &Services<TcpService>,
    context: &mut Context<'_, '_>,
    build: &mut Build<'_>,
) -> Vec<TcpRouter> {
    let mut all = Vec::new();
    for (name, written) in written {
        let path = format!("{SECTION}.{}", shortened(&name));
        let leads = leads(&path, written.service.as_deref(), services, build);
        let entry_points = entry_points(&path, written.entry_points, context.entry_points, build);
        let Some(rule) = parsed(&path, written.rule, written.rule_syntax.as_deref(), context, build) else { continue };
        if rule.refuse(&path, is_of_connections, "a matcher of connections, as HostSNI", build) {
            continue;
        }
        let mut lacks = context.guards.lacks(&format!("{path}.middlewares"), written.middlewares.as_deref());
        let is_plain = is_plain(&rule.rule);
        if !is_plain {
            lacks.push(format!("{path}.rule: other conditions than HostSNI, joined by ||, are not built"));
        }
        let server_names = server_names(&rule.rule).unwrap_or_default();
        if written.tls.is_none() && !server_names.is_empty() {
            let expected = "HostSNI(`*`), since plaintext connections name no server, or tls: {}";
            build.wrong(&format!("{path}.rule"), "names of servers without tls", expected);
            continue;
        }
        let tls = written.tls.map(|tls| {
            let is_passed = tls.passthrough == Some(true);
            let settings = RouterTls { cert_resolver: tls.cert_resolver, domains: tls.domains, options: tls.options };
            if is_passed {
                return TcpTls::Passthrough;
            }
            TcpTls::Terminate(router_tls(&path, settings, &rule, context, build))
        });
        let service = match leads {
            Leads::To { service, lacks: of_service } => {
                lacks.extend(of_service);
                Some(service)
            }
            Leads::Answer(_) => {
                lacks.push(format!("{path}.service: Traefik has no such service for connections"));
                None
            }
            Leads::Nowhere(lack) => {
                lacks.push(lack);
                None
            }
            Leads::Wrong => continue,
        };
        if entry_points.is_empty() {
            continue;
        }
        let priority = priority(written.priority, &rule.text);
        let Parsed { text, rule, syntax } = rule;
        let router = TcpRouter { name, entry_points, rule_text: text, server_names, priority, service, tls };
        all.push(Prepared { path, router, rule, syntax, lacks });
    }
    let mut routers = closed_or_open(all, context, build);
    routers.sort_by(|one, other| one.name.cmp(&other.name));
    routers
}

/// A router before it is decided whether it is closed.
struct Prepared {
    path: String,
    router: TcpRouter,
    rule: Rule,
    syntax: Syntax,
    lacks: Vec<String>,
}

/// All routers, each without its service if it has unsupported guards.
fn closed_or_open(mut all: Vec<Prepared>, context: &mut Context<'_, '_>, build: &mut Build<'_>) -> Vec<TcpRouter> {
    let named: Vec<TcpRouter> = all.iter().map(|prepared| prepared.router.clone()).collect();
    let effective = effective(&named);
    // Routers that may keep connections from others come first, even in doubt.
    all.sort_by_key(|one| (Reverse(one.router.priority), is_exact(&one.router.server_names)));
    let mut routers = Vec::new();
    for Prepared { path, mut router, rule, syntax, mut lacks } in all {
        if let Some(TcpTls::Terminate(tls)) = &router.tls {
            let names = names(&router);
            for effective in router.entry_points.iter().filter_map(|point| effective.get(point.as_str())) {
                lacks.extend(context.tls.lacks(&path, tls.options.as_deref(), &names, effective));
            }
        }
        if router.tls.is_some() {
            let names: Vec<&str> = router.server_names.iter().map(String::as_str).collect();
            lacks.extend(context.shadows.of_tcp(&router.entry_points, router.priority, &names));
        }
        lacks.dedup();
        let can_open = router.service.is_some() && is_plain(&rule);
        if context.doors.is_closed(&Door { section: SECTION, name: &router.name, can_open }, lacks, build) {
            router.service = None;
        }
        if router.service.is_none() {
            context.shadows.add(&router, &rule, syntax);
        }
        routers.push(router);
    }
    routers
}

/// The effective TLS options of names, by entry point. Traefik uses those of the first router, but the order of several
/// is undefined: in doubt the default options count.
fn effective(all: &[TcpRouter]) -> HashMap<&str, EffectiveOptions<'_>> {
    EffectiveOptions::by_entry_point(all.iter().filter_map(|router| {
        let Some(TcpTls::Terminate(tls)) = &router.tls else { return None };
        Some((router.entry_points.as_slice(), (names(router), tls.options.as_deref())))
    }))
}

/// The names of a router's connections, in the form of `HostSNI`.
fn names(router: &TcpRouter) -> Vec<&str> {
    match router.server_names.as_slice() {
        [] => vec![ANY],
        names => names.iter().map(String::as_str).collect(),
    }
}

fn is_of_connections(kind: MatcherKind) -> bool {
    use MatcherKind::{Alpn, ClientIp, HostSni, HostSniRegexp};
    matches!(kind, Alpn | ClientIp | HostSni | HostSniRegexp)
}

/// True if a rule consists of names joined by `||`.
fn is_plain(rule: &Rule) -> bool {
    match rule {
        Rule::Match(matcher) => matcher.kind == MatcherKind::HostSni,
        Rule::Any(rules) => rules.iter().all(is_plain),
        Rule::All(_) | Rule::Not(_) => false,
    }
}

/// The server names of a rule's connections; `None` if there can be any.
fn server_names(rule: &Rule) -> Option<Vec<String>> {
    match rule {
        Rule::Match(Matcher { kind: MatcherKind::HostSni, arguments, .. }) => {
            (!arguments.iter().any(|name| name == ANY)).then(|| arguments.clone())
        }
        Rule::Any(rules) => {
            let lists: Option<Vec<Vec<String>>> = rules.iter().map(server_names).collect();
            lists.map(|lists| lists.concat())
        }
        Rule::All(rules) => rules.iter().find_map(server_names),
        Rule::Match(_) | Rule::Not(_) => None,
    }
}
