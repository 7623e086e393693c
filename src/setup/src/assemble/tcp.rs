//! `tcp.routers`.
//!
//! A rule here is one or several `HostSNI`, joined by `||`. A router with any other is left out, since without its other
//! conditions it would let in what Traefik would not.

use std::collections::BTreeMap;

use resolver::config::rule::{Matcher, MatcherKind, Rule};
use resolver::config::shortened;

use super::Build;
use super::resolvers::Resolvers;
use super::routers::{World, entry_points, parsed, priority, router_tls, service};
use super::services::Services;
use crate::model::{TcpRouter, TcpService, TcpTls};
use crate::traefik::RouterTls;
use crate::traefik::tcp::TcpRouter as Written;

/// What `HostSNI` says of any name, and of none.
const ANY: &str = "*";

/// All routers that can be served, sorted by name.
pub(super) fn routers(
    written: BTreeMap<String, Written>,
    world: &World<'_>,
    services: &Services<TcpService>,
    resolvers: &mut Resolvers,
    build: &mut Build<'_>,
) -> Vec<TcpRouter> {
    let mut routers = Vec::new();
    for (name, written) in written {
        let path = format!("tcp.routers.{}", shortened(&name));
        let service = service(&path, written.service.as_deref(), services.names(), |name| services.find(name), build);
        let entry_points = entry_points(&path, written.entry_points, world.entry_points, build);
        let Some(rule) = parsed(&path, written.rule, written.rule_syntax.as_deref(), world, build) else { continue };
        if rule.refuse(&path, is_of_connections, "a matcher of connections, as HostSNI", build) {
            continue;
        }
        let Some(mut server_names) = server_names(&rule.rule) else {
            build.left_out(&path, "its rule has other conditions than HostSNI, joined by ||");
            continue;
        };
        if server_names.iter().any(|name| name == ANY) {
            server_names.clear();
        }
        if written.tls.is_none() && !server_names.is_empty() {
            let expected = "HostSNI(`*`), since plaintext connections name no server, or tls: {}";
            build.wrong(&format!("{path}.rule"), "names of servers without tls", expected);
            continue;
        }
        let tls = written.tls.map(|tls| {
            let is_passed = tls.passthrough == Some(true);
            let of_router = RouterTls { cert_resolver: tls.cert_resolver, domains: tls.domains, options: tls.options };
            if is_passed {
                return TcpTls::Passthrough;
            }
            TcpTls::Terminate(router_tls(&path, of_router, &rule, world, resolvers, build))
        });
        let (Some(service), false) = (service, entry_points.is_empty()) else { continue };
        let priority = priority(written.priority, &rule.text);
        routers.push(TcpRouter { name, entry_points, rule_text: rule.text, server_names, priority, service, tls });
    }
    routers
}

fn is_of_connections(kind: MatcherKind) -> bool {
    use MatcherKind::{Alpn, ClientIp, HostSni, HostSniRegexp};
    matches!(kind, Alpn | ClientIp | HostSni | HostSniRegexp)
}

/// The names of a rule that has nothing else.
fn server_names(rule: &Rule) -> Option<Vec<String>> {
    match rule {
        Rule::Match(Matcher { kind: MatcherKind::HostSni, arguments, .. }) => Some(arguments.clone()),
        Rule::Any(rules) => {
            let lists: Option<Vec<Vec<String>>> = rules.iter().map(server_names).collect();
            lists.map(|lists| lists.concat())
        }
        _ => None,
    }
}
