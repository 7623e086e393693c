//! What closed TCP routers keep from routers that Traefik would ask after them.
//!
//! Envoy chooses a chain by the server's name, and the most exact name wins, whatever the priorities are. So a closed
//! router whose connections can't be told by exact names would lose some to routers for such names.
//!
//! Promises: whatever goes after it and may get one of its connections is closed as well, in doubt too.

use config::rule::{Matcher, MatcherKind, Rule, Syntax};
use config::shortened;
use regex_syntax::hir::Look;
use regex_syntax::hir::literal::{ExtractKind, Extractor};

use crate::model::TcpRouter;

/// What `HostSNI` says of any name, and of none.
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
    /// Adds a closed router, if exact names don't tell its connections.
    pub(super) fn add(&mut self, router: &TcpRouter, rule: &Rule, syntax: Syntax) {
        if router.tls.is_none() || is_exact(&router.server_names) {
            return;
        }
        let (name, entry_points) = (router.name.clone(), router.entry_points.clone());
        self.0.push(Shadow { name, entry_points, priority: router.priority, rule: rule.clone(), syntax });
    }

    /// Why a TCP router for these names is closed; for connections with TLS.
    pub(super) fn of_tcp(&self, entry_points: &[String], priority: i64, names: &[&str]) -> Option<String> {
        let goes_first = |shadow: &&Shadow| {
            shadow.priority >= priority && shadow.entry_points.iter().any(|point| entry_points.contains(point))
        };
        self.0.iter().filter(goes_first).find(|shadow| shadow.takes(names)).map(Shadow::lack)
    }

    /// Why an HTTP router for these hosts is closed on this entry point; for connections with TLS. Traefik asks all TCP
    /// routers first, but for the one that takes what is left.
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

    /// Whether it may take connections for one of these names; none stand for those that nobody names.
    fn takes(&self, names: &[&str]) -> bool {
        match names {
            [] => may_match(&self.rule, self.syntax, None),
            names => names.iter().any(|name| may_match(&self.rule, self.syntax, Some(name))),
        }
    }
}

/// Whether these names tell a router's connections from all others.
pub(super) fn is_exact(names: &[String]) -> bool {
    !names.is_empty() && !names.iter().any(|name| is_wildcard(name))
}

fn is_wildcard(name: &str) -> bool {
    name.starts_with(ANY)
}

/// Whether a rule may be true of a connection for this name, or for one that stands nowhere.
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

/// Judged by the texts that a match must end with, where there are some.
fn regexp_may_match(regexp: &str, name: Option<&str>) -> bool {
    // Go takes them for letters in a class.
    let is_other_in_go = ["&&", "--", "~~"].iter().any(|operator| regexp.contains(operator));
    let Ok(hir) = regex_syntax::parse(regexp) else { return true };
    let ends = Extractor::new().kind(ExtractKind::Suffix).extract(&hir);
    let Some(ends) = ends.literals().filter(|_| !is_other_in_go) else { return true };
    let is_at_end = hir.properties().look_set_suffix().contains(Look::End);
    let fits = |end: &[u8]| {
        // An end without a text fits everything.
        let Some(name) = name.filter(|name| !is_wildcard(name)) else { return name.is_some() || end.is_empty() };
        let (name, end) = (name.to_ascii_lowercase().into_bytes(), end.to_ascii_lowercase());
        let has = |text: &[u8]| text == end.as_slice();
        end.is_empty() || if is_at_end { name.ends_with(&end) } else { name.windows(end.len()).any(has) }
    };
    ends.iter().any(|end| fits(end.as_bytes()))
}
