//! From routers to Envoy's routes, so that each request goes where Traefik would send it: of the routers that match, the
//! one with the highest priority; of those with the same, the first by name. No router: 404.
//!
//! Each host that a rule names has a virtual host with the routes of all routers that may take it, in their order; hosts
//! with the same routes share one. Routers that name none are in every one, and in the one for all other hosts.

mod alternatives;
mod hosts;
pub(crate) mod matching;
mod pattern;
mod question;

use resolver::config::Mistake;
use serde_json::Value;

use self::alternatives::Answer;
use self::question::Question;
use crate::model::HttpRouter;

/// The most routes of one listener: routers without a host are repeated for each host.
const MOST_ROUTES: usize = 500_000;

/// A route of one alternative of a router's rule.
struct Candidate<'s> {
    router: &'s HttpRouter,
    /// Without the hosts.
    answers: Vec<Answer>,
    /// The hosts it is for; empty for all.
    hosts: Vec<String>,
    /// The hosts it is not for.
    others: Vec<String>,
}

/// The virtual hosts of these routers; `action` gives what a router's routes do (`route`, `direct_response` …).
///
/// # Errors
/// When a rule can't be said in Envoy's terms, by the router's name.
pub fn virtual_hosts(
    routers: &[&HttpRouter],
    action: &dyn Fn(&HttpRouter) -> Value,
) -> Result<Vec<Value>, Vec<Mistake>> {
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

/// Whether a router asks for the client's address.
pub fn asks_for_client_ip(router: &HttpRouter) -> bool {
    use resolver::config::rule::{MatcherKind, Rule};
    fn asks(rule: &Rule) -> bool {
        match rule {
            Rule::All(rules) | Rule::Any(rules) => rules.iter().any(asks),
            Rule::Not(rule) => asks(rule),
            Rule::Match(matcher) => matcher.kind == MatcherKind::ClientIp,
        }
    }
    asks(&router.rule)
}

/// The hosts that a rule names, negated ones left out. They are in lower case once a setup is read.
pub(crate) fn hosts(rule: &resolver::config::rule::Rule) -> Vec<&str> {
    use resolver::config::rule::{MatcherKind, Rule};
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
    /// As much of a rule as shows which one it is.
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
    let candidates: Vec<Candidate<'_>> =
        alternatives.into_iter().filter_map(|answers| candidate(router, answers)).collect();
    for candidate in &candidates {
        matching::route_match(&candidate.answers).map_err(|expected| mistake(router, expected.to_owned()))?;
    }
    Ok(candidates)
}

/// Takes the hosts out of the answers; `None` when they exclude each other.
fn candidate(router: &HttpRouter, answers: Vec<Answer>) -> Option<Candidate<'_>> {
    let mut wanted: Option<Vec<String>> = None;
    let mut others = Vec::new();
    let mut rest = Vec::new();
    for answer in answers {
        match answer {
            Answer { question: Question::Host(hosts), negated: true } => others.extend(hosts),
            Answer { question: Question::Host(hosts), negated: false } => {
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
    Some(Candidate { router, answers: rest, hosts, others })
}
