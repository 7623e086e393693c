//! Converts routers to Envoy's routes, so that each request goes where Traefik would send it: of the matching routers,
//! to the one with the highest priority; among equals, to the first by name; without a matching router, 404.
//!
//! Each host in a rule has a virtual host with the routes of all routers that may take it, in order; hosts with the
//! same routes share one. Routers without hosts are in every virtual host, and in the one for all other hosts.

mod alternatives;
mod candidate;
mod encoded;
mod hosts;
pub(crate) mod matching;
mod pattern;
mod pieces;
mod question;

use std::collections::HashMap;

use config::Mistake;
use serde_json::Value;

use self::alternatives::Condition;
use self::question::Question;
use crate::model::{HttpRouter, Target};
pub use candidate::Action;
use candidate::Candidate;

/// The virtual hosts of these routers.
///
/// # Errors
/// If a rule can't be expressed in Envoy's configuration: the router's name.
pub fn virtual_hosts(routers: &[&HttpRouter], action: Action<'_>) -> Result<Vec<Value>, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut candidates = Vec::new();
    let mut sorted = routers.to_vec();
    sorted.sort_by(|one, other| other.priority.cmp(&one.priority).then_with(|| one.name.cmp(&other.name)));
    for router in sorted {
        match of_router(router) {
            Ok(of_router) => candidates.extend(of_router),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() {
        return hosts::virtual_hosts(&candidates, action).map_err(|mistake| vec![mistake]);
    }
    Err(mistakes)
}

/// True if a router's rule matches the client's address.
pub fn asks_for_client_ip(router: &HttpRouter) -> bool {
    use config::rule::{MatcherKind, Rule};
    fn asks(rule: &Rule) -> bool {
        match rule {
            Rule::All(rules) | Rule::Any(rules) => rules.iter().any(asks),
            Rule::Not(rule) => asks(rule),
            Rule::Match(matcher) => matcher.kind == MatcherKind::ClientIp,
        }
    }
    asks(&router.rule)
}

/// The hosts in a rule, without negated ones. They are in lower case once a setup is read.
pub(crate) fn hosts(rule: &config::rule::Rule) -> Vec<&str> {
    use config::rule::{MatcherKind, Rule};
    fn collect<'r>(rule: &'r Rule, negated: bool, hosts: &mut Vec<&'r str>) {
        match rule {
            Rule::All(rules) | Rule::Any(rules) => rules.iter().for_each(|rule| collect(rule, negated, hosts)),
            Rule::Not(rule) => collect(rule, !negated, hosts),
            Rule::Match(matcher) if matcher.kind == MatcherKind::Host && !negated => {
                hosts.extend(matcher.arguments.iter().map(String::as_str).filter(|host| *host != "*"));
            }
            Rule::Match(_) => {}
        }
    }
    let mut hosts = Vec::new();
    collect(rule, false, &mut hosts);
    hosts
}

/// A mistake in a router's rule.
fn mistake(router: &HttpRouter, expected: String) -> Mistake {
    /// Length of a rule's beginning that identifies it in a message.
    const SHOWN: usize = 60;
    let mut found: String = router.rule_text.chars().take(SHOWN).collect();
    if found.len() < router.rule_text.len() {
        found.push('…');
    }
    Mistake {
        path: format!("http.routers.{}.rule", router.name),
        found: acme::one_line(&found),
        expected,
        nearest: None,
    }
}

fn of_router(router: &HttpRouter) -> Result<Vec<Candidate<'_>>, Mistake> {
    let tree = question::tree(&router.rule, router.syntax)
        .map_err(|unfit| mistake(router, format!("at column {} {}", unfit.column, unfit.expected)))?;
    let Some(alternatives) = alternatives::of(&tree) else {
        return Err(mistake(
            router,
            format!("a rule of at most {} alternatives once || is drawn out", alternatives::MOST),
        ));
    };
    let alternatives = alternatives.into_iter().map(|conditions| match router.target {
        Target::Closed => in_doubt(conditions),
        _ => conditions,
    });
    let candidates = merged(alternatives.filter_map(|conditions| candidate(router, conditions)));
    for candidate in &candidates {
        matching::route_match(&candidate.conditions).map_err(|expected| mistake(router, expected.to_owned()))?;
    }
    Ok(candidates)
}

/// For a closed router, a regular expression for a query parameter becomes a test of its presence: the value may be
/// encoded.
fn in_doubt(conditions: Vec<Condition>) -> Vec<Condition> {
    let condition = |condition| match condition {
        Condition { question: Question::QueryPattern(..), negated: true } => None,
        Condition { question: Question::QueryPattern(key, _), negated } => {
            Some(Condition { question: Question::Query(pattern::of_query_key(&key)), negated })
        }
        other => Some(other),
    };
    conditions.into_iter().filter_map(condition).collect()
}

/// Merges `Host(a) || Host(b)` into one route with two hosts.
fn merged<'s>(candidates: impl Iterator<Item = Candidate<'s>>) -> Vec<Candidate<'s>> {
    let mut all: Vec<Candidate<'s>> = Vec::new();
    let mut known: HashMap<Vec<Condition>, usize> = HashMap::new();
    for candidate in candidates {
        let is_for_hosts = !candidate.hosts.is_empty();
        match known.get(&candidate.conditions).and_then(|index| all.get_mut(*index)) {
            Some(same) if is_for_hosts => same.hosts.extend(candidate.hosts),
            _ => {
                if is_for_hosts {
                    known.insert(candidate.conditions.clone(), all.len());
                }
                all.push(candidate);
            }
        }
    }
    all
}

/// Separates the hosts from the conditions; `None` if they exclude each other.
fn candidate(router: &HttpRouter, conditions: Vec<Condition>) -> Option<Candidate<'_>> {
    let mut wanted: Option<Vec<String>> = None;
    let mut others = Vec::new();
    let mut rest = Vec::new();
    for condition in conditions {
        match condition {
            Condition { question: Question::Host(hosts), negated: true } => others.extend(hosts),
            Condition { question: Question::Host(hosts), negated: false } => {
                wanted = Some(match wanted {
                    Some(wanted) => wanted.into_iter().filter(|host| hosts.contains(host)).collect(),
                    None => hosts,
                });
            }
            other => rest.push(other),
        }
    }
    let hosts = match wanted {
        Some(mut wanted) => {
            wanted.retain(|host| !others.contains(host));
            if wanted.is_empty() {
                return None;
            }
            others.clear();
            wanted
        }
        None => Vec::new(),
    };
    Some(Candidate { router, conditions: rest, hosts, others })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use config::rule::{Syntax, parse};
    use serde_json::json;

    use super::*;
    use crate::model::Target;

    fn router(name: &str, rule: &str, syntax: Syntax) -> HttpRouter {
        HttpRouter {
            name: name.to_owned(),
            entry_points: vec!["web".to_owned()],
            rule_text: rule.to_owned(),
            rule: parse(rule, syntax).unwrap(),
            syntax,
            priority: i64::try_from(rule.len()).unwrap(),
            target: Target::Service("s".to_owned()),
            tls: None,
        }
    }

    /// Domains, and the names of their routes.
    fn hosts(rules: &[&str]) -> Vec<String> {
        let routers: Vec<HttpRouter> =
            rules.iter().enumerate().map(|(index, rule)| router(&index.to_string(), rule, Syntax::V3)).collect();
        let all = virtual_hosts(&routers.iter().collect::<Vec<_>>(), &|_, _| json!({})).unwrap();
        let text = |value: &Value, key: &str| value[key].as_str().unwrap().to_owned();
        let domains = |host: &Value| {
            let domains = host["domains"].as_array().unwrap().iter().map(|domain| domain.as_str().unwrap().to_owned());
            domains.collect::<Vec<_>>().join(",")
        };
        let routes = |host: &Value| {
            host["routes"].as_array().unwrap().iter().map(|route| text(route, "name")).collect::<Vec<_>>().join(" ")
        };
        all.iter().map(|host| format!("{}: {}", domains(host), routes(host))).collect()
    }

    #[test]
    fn routers_without_a_host_are_in_every_virtual_host_by_their_priority() {
        let found =
            hosts(&["Host(`b.x`) && Path(`/aaaaaaaaaaaaa`)", "Host(`A.x.`)", "Path(`/aaaaaaaaaa`)", "Path(`/`)"]);
        // Routes after a router that takes the whole host are never reached.
        assert_eq!(found, ["a.x: 2 1", "b.x: 0 2 3", "*: 2 3"]);
    }

    #[test]
    fn hosts_with_the_same_routes_share_a_virtual_host() {
        assert_eq!(hosts(&["Host(`a.x`) || Host(`b.x`)", "Host(`*`) && Path(`/`)"]), ["a.x,b.x: 0", "*: 1"]);
    }

    #[test]
    fn a_negated_host_has_every_other_route() {
        assert_eq!(hosts(&["!Host(`a.x`)", "Path(`/b`)"]), ["a.x: 1", "*: 0"]);
        assert_eq!(hosts(&["Host(`a.x`) && Host(`b.x`)"]), Vec::<String>::new());
    }

    #[test]
    fn templates_of_v2_are_regular_expressions() {
        let router = router("r", "Path(`/{id:[0-9]+}`) && HostRegexp(`{sub}.x`)", Syntax::V2);
        let all = virtual_hosts(&[&router], &|_, _| json!({})).unwrap();
        let conditions = &all[0]["routes"][0]["match"];
        assert_eq!(conditions["safe_regex"]["regex"], "^/(?:[0-9]+)$");
        assert_eq!(conditions["headers"][0]["string_match"]["safe_regex"]["regex"], r"(?i)^(?:[^.]+)\.x(?::[^:\]]*)?$");
    }

    #[test]
    fn paths_with_more_than_one_spelling_are_regular_expressions() {
        let conditions = |rule: &str, syntax| {
            let router = router("r", rule, syntax);
            virtual_hosts(&[&router], &|_, _| json!({})).unwrap()[0]["routes"][0]["match"].clone()
        };
        assert_eq!(conditions("PathPrefix(`/a-b`)", Syntax::V3), json!({ "prefix": "/a-b" }));
        for (rule, syntax, expected) in [
            ("PathPrefix(`/my admin`)", Syntax::V3, "^/my(?: |(?i:%20))admin.*"),
            ("Path(`/@a`)", Syntax::V3, "^/(?:@|(?i:%40))a$"),
            ("PathRegexp(`^/ä`)", Syntax::V3, "^/(?:ä|(?i:%c3%a4)).*"),
            ("PathPrefix(`/ö/{id}`)", Syntax::V2, "^/(?:ö|(?i:%c3%b6))/(?:[^/]+).*"),
        ] {
            assert_eq!(conditions(rule, syntax)["safe_regex"]["regex"], expected, "{rule}");
        }
        let second = conditions("PathPrefix(`/`) && !Path(`/a b`)", Syntax::V3);
        let second = &second["headers"][0]["string_match"]["safe_regex"]["regex"];
        assert_eq!(*second, r"^/a(?: |(?i:%20))b(?:\?.*)?$");
    }

    #[test]
    fn a_closed_router_is_closed_for_any_value_that_a_regular_expression_is_for() {
        let mut router = router("r", "QueryRegexp(`a`, `^x$`) || !QueryRegexp(`b`, `^a|b$`)", Syntax::V3);
        router.target = Target::Closed;
        let all = virtual_hosts(&[&router], &|_, _| json!({})).unwrap();
        let asked = &all[0]["routes"][0]["match"]["headers"][0]["string_match"]["safe_regex"]["regex"];
        assert_eq!(*asked, r"[^?]*\?(?:.*&)?(?:a|(?i:%61))(?:[=&].*)?");
        assert_eq!(all[0]["routes"][1]["match"], json!({ "prefix": "/" }));
    }

    #[test]
    fn what_cannot_be_said_names_its_router() {
        for (rule, expected) in [
            ("HostSNI(`a.x`)", "at column 1 a matcher for requests"),
            ("Path(`/`) && PathRegexp(`(`)", "at column 14 a regular expression: unclosed group"),
            ("ClientIP(`10.0.0.0/99`)", "at column 1 addresses"),
            ("!QueryRegexp(`a`, `^a|b$`)", "a simpler regular expression"),
            ("PathRegexp(`^/[äö]`)", "at column 1 a regular expression in which"),
        ] {
            let router = router("r", rule, Syntax::V3);
            let mistakes = virtual_hosts(&[&router], &|_, _| json!({})).unwrap_err();
            assert!(mistakes[0].to_string().starts_with("http.routers.r.rule: found"), "{}", mistakes[0]);
            assert!(mistakes[0].expected.starts_with(expected), "{}", mistakes[0]);
        }
    }
}
