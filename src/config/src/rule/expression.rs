//! A parsed rule: its matchers, and how they are joined.

use super::matcher::{Matcher, MatcherKind};

/// Maximum nesting of parentheses and negations. Code that walks a parsed rule may recurse.
pub const MAX_DEPTH: usize = 32;

/// A condition on requests or connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// `&&`: two or more rules, in order.
    All(Vec<Self>),
    /// `||`: two or more rules, in order.
    Any(Vec<Self>),
    /// `!`: a negated rule.
    Not(Box<Self>),
    /// A single matcher.
    Match(Matcher),
}

impl Rule {
    /// The names in a certificate for this rule: the arguments of `Host` and `HostSNI` in order, unchanged; without
    /// names that the rule excludes by `!`, and without `*`, which stands for any name.
    pub fn hosts(&self) -> Vec<String> {
        let mut hosts = Vec::new();
        self.collect_hosts(false, &mut hosts);
        hosts
    }

    fn collect_hosts(&self, is_negated: bool, hosts: &mut Vec<String>) {
        match self {
            Self::All(rules) | Self::Any(rules) => {
                rules.iter().for_each(|rule| rule.collect_hosts(is_negated, hosts));
            }
            Self::Not(rule) => rule.collect_hosts(!is_negated, hosts),
            Self::Match(Matcher { kind: MatcherKind::Host | MatcherKind::HostSni, arguments, .. }) if !is_negated => {
                hosts.extend(arguments.iter().filter(|host| *host != "*").cloned());
            }
            Self::Match(_) => {}
        }
    }
}
