//! A router's `rule`, in Traefik's v3 and v2 syntax: its matchers, and how they are joined.
//!
//! [`parse`] takes what Traefik takes: `!` binds closest, then `&&`, then `||`; names of matchers in any case; arguments
//! in backticks or double quotes with Go's escapes; as many arguments as each matcher has. It does not look into regular
//! expressions and addresses: whoever matches by them does. Beyond Traefik, `Host` and `HostSNI` take several arguments
//! in v3 too, as in v2, and line breaks may stand anywhere between words.

mod grammar;
mod literal;
mod matcher;

use std::fmt;

pub use matcher::{Matcher, MatcherKind, Syntax};

/// The longest rule, in bytes: more would be a mistake, and a parser's time is bounded by its input.
pub const MAX_RULE: usize = 64 * 1024;

/// How deep parentheses and negations may go. Whoever walks a rule that was parsed may recurse.
pub const MAX_DEPTH: usize = 32;

/// What requests or connections a router is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// `&&`: two or more, in their order.
    All(Vec<Self>),
    /// `||`: two or more, in their order.
    Any(Vec<Self>),
    /// `!`.
    Not(Box<Self>),
    /// One matcher.
    Match(Matcher),
}

/// Where a rule is wrong, and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// Counted in characters, from 1; one behind the last when the rule ends too early.
    pub column: usize,
    /// What was expected, as part of a sentence.
    pub expected: String,
    /// The known matcher that an unknown one is most like, if it is like any.
    pub nearest: Option<String>,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at column {} {}", self.column, self.expected)
    }
}

/// Reads a rule of at most [`MAX_RULE`] bytes and [`MAX_DEPTH`] levels.
pub fn parse(text: &str, syntax: Syntax) -> Result<Rule, RuleError> {
    if text.len() > MAX_RULE {
        return Err(RuleError { column: 1, expected: format!("a rule of at most {MAX_RULE} bytes"), nearest: None });
    }
    grammar::parse(text, syntax)
}

impl Rule {
    /// The names that a certificate for this rule has: the arguments of `Host` and `HostSNI` in their order, as they
    /// stand there. Without those that the rule excludes by `!`, and without `*`, which stands for any name.
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

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn hosts(text: &str) -> Vec<String> {
        parse(text, Syntax::V3).unwrap().hosts()
    }

    #[test]
    fn hosts_across_operators_and_parentheses() {
        for (rule, expected) in [
            ("Host(`a.example`)", &["a.example"][..]),
            ("Host(`a.example`, `b.example`)", &["a.example", "b.example"]),
            ("Host(`a.example`) || Host(\"b.example\")", &["a.example", "b.example"]),
            ("(Host(`a.example`)&&(HostSNI(`b.example`)))", &["a.example", "b.example"]),
            ("Host(`a.example`) && PathPrefix(`/x`) || Header(`X-Host`, `c.example`)", &["a.example"]),
            ("HostRegexp(`^.+\\.example$`)", &[]),
        ] {
            assert_eq!(hosts(rule), expected, "{rule}");
        }
    }

    #[test]
    fn negated_hosts_are_left_out() {
        for (rule, expected) in [
            ("!Host(`a.example`)", &[][..]),
            ("!!Host(`a.example`)", &["a.example"]),
            ("Host(`a.example`) && !Host(`b.example`)", &["a.example"]),
            ("!(Host(`a.example`) || Host(`b.example`)) && Host(`c.example`)", &["c.example"]),
            ("!(Host(`a.example`) && !Host(`b.example`))", &["b.example"]),
        ] {
            assert_eq!(hosts(rule), expected, "{rule}");
        }
    }

    #[test]
    fn any_name_is_no_name() {
        assert!(hosts("HostSNI(`*`)").is_empty());
        assert!(hosts("Host(`*`) || HostSNI(`*`)").is_empty());
        assert_eq!(hosts("HostSNI(`*`) || HostSNI(`*.example.com`)"), ["*.example.com"]);
    }

    #[test]
    fn nesting_and_length_are_bounded() {
        let error = |text: &str| parse(text, Syntax::V3).unwrap_err();
        assert!(error(&"(".repeat(10_000)).expected.contains("fewer"));
        assert!(error(&"!".repeat(10_000)).expected.contains("fewer"));
        assert!(error(&" ".repeat(MAX_RULE + 1)).expected.contains("at most"));
        let deep = format!("{}Host(`a.example`){}", "!(".repeat(MAX_DEPTH / 2), ")".repeat(MAX_DEPTH / 2));
        assert_eq!(hosts(&deep), ["a.example"]);
    }
}
