//! Closed TCP routers that shadow routers which Traefik would evaluate after them.
//!
//! Envoy chooses a chain by the server name, and the most exact name wins, whatever the priorities are. So a closed
//! router that is not limited to exact names would lose some connections to routers for such names.
//!
//! Promises: every later router that may get one of its connections is closed as well, even in doubt.

use config::rule::{Matcher, MatcherKind, Rule, Syntax};
use config::shortened;
use regex_syntax::hir::Look;
use regex_syntax::hir::literal::{ExtractKind, Extractor};

use crate::model::TcpRouter;

/// The argument of `HostSNI` for any name, and for none.
pub(super) const ANY: &str = "*";

/// The routers that keep connections from others.
#[derive(Default)]
pub(super) struct Shadows(Vec<Shadow>);

struct Shadow {
    name: String,
    entry_points: Vec<String>,
    priority: i64,
    rule: Rule,
    syntax: Syntax,
}

impl Shadows {
    /// Adds a closed router, unless it is limited to exact names.
    pub(super) fn add(&mut self, router: &TcpRouter, rule: &Rule, syntax: Syntax) {
        if router.tls.is_none() || is_exact(&router.server_names) {
            return;
        }
        let (name, entry_points) = (router.name.clone(), router.entry_points.clone());
        self.0.push(Shadow { name, entry_points, priority: router.priority, rule: rule.clone(), syntax });
    }

    /// The reason why a TCP router for these names is closed; for connections with TLS.
    pub(super) fn of_tcp(&self, entry_points: &[String], priority: i64, names: &[&str]) -> Option<String> {
        let goes_first = |shadow: &&Shadow| {
            shadow.priority >= priority && shadow.entry_points.iter().any(|point| entry_points.contains(point))
        };
        self.0.iter().filter(goes_first).find(|shadow| shadow.takes(names)).map(Shadow::lack)
    }

    /// The reason why an HTTP router for these hosts is closed on this entry point; for connections with TLS. Traefik
    /// evaluates all TCP routers first, except one that takes the rest.
    pub(super) fn of_http(&self, entry_point: &str, hosts: &[&str]) -> Option<String> {
        let goes_first =
            |shadow: &&Shadow| !shadow.takes_what_is_left() && shadow.entry_points.iter().any(|on| on == entry_point);
        self.0.iter().filter(goes_first).find(|shadow| shadow.takes(hosts)).map(Shadow::lack)
    }
}

impl Shadow {
    fn lack(&self) -> String {
        format!(
            "tcp.routers.{}: it is closed, and goes first for connections that may be the same",
            shortened(&self.name)
        )
    }

    fn takes_what_is_left(&self) -> bool {
        let Rule::Match(Matcher { kind: MatcherKind::HostSni, arguments, .. }) = &self.rule else { return false };
        arguments.iter().all(|name| name == ANY)
    }

    /// True if the router may take connections for one of these names; no names stand for all other connections.
    fn takes(&self, names: &[&str]) -> bool {
        match names {
            [] => may_match(&self.rule, self.syntax, None),
            names => names.iter().any(|name| may_match(&self.rule, self.syntax, Some(name))),
        }
    }
}

/// True if these names are exact, so that they separate a router's connections from all others.
pub(super) fn is_exact(names: &[String]) -> bool {
    !names.is_empty() && !names.iter().any(|name| is_wildcard(name))
}

fn is_wildcard(name: &str) -> bool {
    name.starts_with(ANY)
}

/// True if a rule may match a connection for this name, or (`None`) for a name in no rule.
fn may_match(rule: &Rule, syntax: Syntax, name: Option<&str>) -> bool {
    match rule {
        Rule::All(rules) => rules.iter().all(|rule| may_match(rule, syntax, name)),
        Rule::Any(rules) => rules.iter().any(|rule| may_match(rule, syntax, name)),
        Rule::Match(Matcher { kind: MatcherKind::HostSni, arguments, .. }) => {
            arguments.iter().any(|argument| match (argument.strip_prefix(ANY), name) {
                (Some(""), _) => true,
                (_, Some(name)) if is_wildcard(name) => true,
                (Some(end), Some(name)) => name.ends_with(end),
                (None, Some(name)) => name == argument,
                (_, None) => false,
            })
        }
        Rule::Match(Matcher { kind: MatcherKind::HostSniRegexp, arguments, .. }) if syntax == Syntax::V3 => {
            arguments.iter().any(|regexp| regexp_may_match(regexp, name))
        }
        Rule::Match(_) | Rule::Not(_) => true,
    }
}

/// Decides by the suffixes that a match must have, if there are some.
fn regexp_may_match(regexp: &str, name: Option<&str>) -> bool {
    // In Go these are literals within a class.
    let is_other_in_go = ["&&", "--", "~~"].iter().any(|operator| regexp.contains(operator));
    let Ok(hir) = regex_syntax::parse(regexp) else { return true };
    let ends = Extractor::new().kind(ExtractKind::Suffix).extract(&hir);
    let Some(ends) = ends.literals().filter(|_| !is_other_in_go) else { return true };
    let is_at_end = hir.properties().look_set_suffix().contains(Look::End);
    let fits = |end: &[u8]| {
        // An empty suffix matches everything.
        let Some(name) = name.filter(|name| !is_wildcard(name)) else { return name.is_some() || end.is_empty() };
        let (name, end) = (name.to_ascii_lowercase().into_bytes(), end.to_ascii_lowercase());
        let has = |text: &[u8]| text == end.as_slice();
        end.is_empty() || if is_at_end { name.ends_with(&end) } else { name.windows(end.len()).any(has) }
    };
    ends.iter().any(|end| fits(end.as_bytes()))
}
