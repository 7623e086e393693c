//! A router's `rule`, in Traefik's v3 and v2 syntax: a tree of matchers.
//!
//! [`parse`] accepts the syntax of Traefik: `!` binds closest, then `&&`, then `||`; names of matchers in any case;
//! arguments in backticks or double quotes with Go's escapes; as many arguments as each matcher has. Regular
//! expressions and addresses are not checked here, but where they are matched. Beyond Traefik, `Host` and `HostSNI`
//! take several arguments in v3 too, as in v2, and line breaks are allowed anywhere between words.

mod error;
mod expression;
mod grammar;
mod literal;
mod matcher;

pub use error::RuleError;
pub use expression::{MAX_DEPTH, Rule};
pub use matcher::{Matcher, MatcherKind, Syntax};

/// Maximum length of a rule, in bytes: a longer one is a mistake, and the parser's time is bounded.
pub const MAX_RULE: usize = 64 * 1024;

/// Reads a rule of at most [`MAX_RULE`] bytes and [`MAX_DEPTH`] levels.
pub fn parse(text: &str, syntax: Syntax) -> Result<Rule, RuleError> {
    if text.len() > MAX_RULE {
        return Err(RuleError { column: 1, expected: format!("a rule of at most {MAX_RULE} bytes"), nearest: None });
    }
    grammar::parse(text, syntax)
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
