//! The grammar of rules: terms joined by `&&`, groups of them joined by `||`.

use std::cell::Cell;

use winnow::ascii::multispace0;
use winnow::combinator::{delimited, opt, separated};
use winnow::error::ParserError;
use winnow::prelude::*;
use winnow::token::{literal, take_while};

use super::error::RuleError;
use super::expression::{MAX_DEPTH, Rule};
use super::literal::quoted;
use super::matcher::Known;
use super::{Matcher, MatcherKind, Syntax};
use crate::mistake::nearest;

/// Reads a whole rule.
pub(super) fn parse(text: &str, syntax: Syntax) -> Result<Rule, RuleError> {
    let reader = Reader { text, syntax, last: Cell::new((0, 1)) };
    let mut rest = text;
    let rule = reader.any(&mut rest, 0).and_then(|rule| {
        multispace0.parse_next(&mut rest)?;
        if rest.is_empty() { Ok(rule) } else { Err(reader.refuse(rest, "&&, || or the end of the rule")) }
    });
    rule.map_err(|stop| match stop {
        Stop::Refused(error) => error,
        Stop::Elsewhere => reader.error(rest, "a rule"),
    })
}

/// The reason why a parser stops.
enum Stop {
    /// The text is something else; another alternative may match.
    Elsewhere,
    /// The rule is wrong.
    Refused(RuleError),
}

impl ParserError<&str> for Stop {
    type Inner = Self;

    fn from_input(_: &&str) -> Self {
        Self::Elsewhere
    }

    fn is_backtrack(&self) -> bool {
        matches!(self, Self::Elsewhere)
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// State shared by the parsers. Each gets the rest of the text, and leaves what follows its match.
struct Reader<'a> {
    text: &'a str,
    syntax: Syntax,
    /// The offset whose column was computed last, and that column: the next one is counted from there.
    last: Cell<(usize, usize)>,
}

impl<'a> Reader<'a> {
    fn any(&self, rest: &mut &'a str, depth: usize) -> Result<Rule, Stop> {
        let terms: Vec<Rule> =
            separated(1.., |rest: &mut &'a str| self.all(rest, depth), token("||")).parse_next(rest)?;
        Ok(joined(terms, Rule::Any))
    }

    fn all(&self, rest: &mut &'a str, depth: usize) -> Result<Rule, Stop> {
        let terms: Vec<Rule> =
            separated(1.., |rest: &mut &'a str| self.term(rest, depth), token("&&")).parse_next(rest)?;
        Ok(joined(terms, Rule::All))
    }

    fn term(&self, rest: &mut &'a str, depth: usize) -> Result<Rule, Stop> {
        multispace0.parse_next(rest)?;
        let deeper = depth.saturating_add(1);
        if deeper > MAX_DEPTH.saturating_add(1) {
            return Err(self.refuse(rest, "fewer parentheses and ! within each other"));
        }
        if opt(literal("!")).parse_next(rest)?.is_some() {
            return Ok(Rule::Not(Box::new(self.term(rest, deeper)?)));
        }
        if opt(literal("(")).parse_next(rest)?.is_some() {
            let inner = self.any(rest, deeper)?;
            self.expect(")", "&&, || or a closing parenthesis", rest)?;
            return Ok(inner);
        }
        self.matcher(rest).map(Rule::Match)
    }

    fn matcher(&self, rest: &mut &'a str) -> Result<Matcher, Stop> {
        let start = *rest;
        let column = self.column(start);
        let name: &str = take_while(0.., |c: char| c.is_alphanumeric() || c == '_').parse_next(rest)?;
        let Some((known, arity)) =
            Known::find(name, self.syntax).and_then(|known| Some((known, known.arity(self.syntax)?)))
        else {
            return Err(self.unknown(name, start));
        };
        self.expect("(", "an opening parenthesis", rest)?;
        let argument = |rest: &mut &'a str| self.argument(known.kind, rest);
        let arguments: Vec<String> = separated(0.., argument, token(",")).parse_next(rest)?;
        // Go takes a comma after the last argument.
        opt(token(",")).parse_next(rest)?;
        self.expect(")", "a comma or a closing parenthesis", rest)?;
        if !arity.admits(arguments.len()) {
            return Err(self.refuse(start, &[known.name, " with ", arity.as_str()].concat()));
        }
        Ok(Matcher { kind: known.kind, arguments, column })
    }

    fn argument(&self, kind: MatcherKind, rest: &mut &'a str) -> Result<String, Stop> {
        multispace0.parse_next(rest)?;
        let start = *rest;
        if start.starts_with(')') {
            return Err(Stop::Elsewhere);
        }
        let argument = quoted(rest).map_err(|malformed| self.refuse(malformed.rest, malformed.expected))?;
        if argument.is_empty() {
            return Err(self.refuse(start, "a text that is not empty"));
        }
        if matches!(kind, MatcherKind::Path | MatcherKind::PathPrefix) && !argument.starts_with('/') {
            return Err(self.refuse(start, "a path that begins with a slash"));
        }
        Ok(argument)
    }

    fn expect(&self, what: &'static str, expected: &str, rest: &mut &'a str) -> Result<(), Stop> {
        multispace0.parse_next(rest)?;
        let found = opt(literal(what)).parse_next(rest)?;
        found.map(|_| ()).ok_or_else(|| self.refuse(rest, expected))
    }

    fn unknown(&self, name: &str, start: &str) -> Stop {
        let (ours, other, other_syntax) = match self.syntax {
            Syntax::V2 => ("v2", "v3", Syntax::V3),
            Syntax::V3 => ("v3", "v2", Syntax::V2),
        };
        let names = || Known::of(self.syntax).map(|known| known.name);
        let (expected, nearest) = match Known::find(name, other_syntax) {
            Some(known) => {
                let words =
                    ["a matcher of the ", ours, " syntax (", known.name, " is one of ", other, ": see ruleSyntax)"];
                let same = Known::of(self.syntax).find(|other| other.kind == known.kind);
                (words.concat(), same.map(|same| same.name.to_owned()))
            }
            None => ("a matcher, as Host or PathPrefix".to_owned(), nearest(name, names())),
        };
        Stop::Refused(RuleError { nearest, ..self.error(start, &expected) })
    }

    fn refuse(&self, rest: &str, expected: &str) -> Stop {
        Stop::Refused(self.error(rest, expected))
    }

    fn error(&self, rest: &str, expected: &str) -> RuleError {
        RuleError { column: self.column(rest), expected: expected.to_owned(), nearest: None }
    }

    /// The column where this rest of the text begins.
    fn column(&self, rest: &str) -> usize {
        let offset = self.text.len().saturating_sub(rest.len());
        let (from, column) = Some(self.last.get()).filter(|(from, _)| *from <= offset).unwrap_or((0, 1));
        let between = self.text.get(from..offset).unwrap_or_default();
        let column = column.saturating_add(between.chars().count());
        self.last.set((offset, column));
        column
    }
}

/// An operator or a comma, and the spaces around it.
fn token<'a>(text: &'static str) -> impl Parser<&'a str, &'a str, Stop> {
    delimited(multispace0, literal(text), multispace0)
}

/// Joins several rules; a single one stays as it is.
fn joined(mut rules: Vec<Rule>, join: fn(Vec<Rule>) -> Rule) -> Rule {
    match rules.pop() {
        Some(only) if rules.is_empty() => only,
        last => {
            rules.extend(last);
            join(rules)
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn matcher(kind: MatcherKind, arguments: &[&str], column: usize) -> Rule {
        Rule::Match(Matcher { kind, arguments: arguments.iter().map(|text| (*text).to_owned()).collect(), column })
    }

    #[test]
    fn negation_binds_closer_than_and_which_binds_closer_than_or() {
        let path = |column| matcher(MatcherKind::Path, &["/"], column);
        let rule = parse("Path(`/`) || !Path(`/`) && (Path(`/`) || Path(`/`)) && Path(`/`)", Syntax::V3).unwrap();
        let not = Rule::Not(Box::new(path(15)));
        assert_eq!(rule, Rule::Any(vec![path(1), Rule::All(vec![not, Rule::Any(vec![path(29), path(42)]), path(56)])]));
    }

    #[test]
    fn every_matcher_of_both_syntaxes_is_read() {
        for (syntax, text, kind, arguments) in [
            (Syntax::V3, "HOST(`a`)", MatcherKind::Host, &["a"][..]),
            (Syntax::V3, "host ( `a` , \"b\" , )", MatcherKind::Host, &["a", "b"]),
            (Syntax::V3, "HostRegexp(`a`)", MatcherKind::HostRegexp, &["a"]),
            (Syntax::V3, "HostSni(`a`,`b`)", MatcherKind::HostSni, &["a", "b"]),
            (Syntax::V3, "HostSNIRegexp(`a`)", MatcherKind::HostSniRegexp, &["a"]),
            (Syntax::V3, "Path(`/a`)", MatcherKind::Path, &["/a"]),
            (Syntax::V3, "PathPrefix(`/a`)", MatcherKind::PathPrefix, &["/a"]),
            (Syntax::V3, "PathRegexp(`a`)", MatcherKind::PathRegexp, &["a"]),
            (Syntax::V3, "Method(`get`)", MatcherKind::Method, &["get"]),
            (Syntax::V3, "Header(`X-Ä`,\"v\")", MatcherKind::Header, &["X-Ä", "v"]),
            (Syntax::V3, "HeaderRegexp(`a`,`b`)", MatcherKind::HeaderRegexp, &["a", "b"]),
            (Syntax::V3, "Query(`a`)", MatcherKind::Query, &["a"]),
            (Syntax::V3, "Query(`a`,`b`)", MatcherKind::Query, &["a", "b"]),
            (Syntax::V3, "QueryRegexp(`a`,`b`)", MatcherKind::QueryRegexp, &["a", "b"]),
            (Syntax::V3, "ClientIP(`10.0.0.0/8`)", MatcherKind::ClientIp, &["10.0.0.0/8"]),
            (Syntax::V3, "ALPN(`h2`)", MatcherKind::Alpn, &["h2"]),
            (Syntax::V2, "HostHeader(`a`,`b`)", MatcherKind::Host, &["a", "b"]),
            (Syntax::V2, "HostRegexp(`{a:.+}`,`b`)", MatcherKind::HostRegexp, &["{a:.+}", "b"]),
            (Syntax::V2, "Path(`/a`,`/{b}`)", MatcherKind::Path, &["/a", "/{b}"]),
            (Syntax::V2, "Method(`GET`,`PUT`)", MatcherKind::Method, &["GET", "PUT"]),
            (Syntax::V2, "Headers(`a`,`b`,`c`,`d`)", MatcherKind::Header, &["a", "b", "c", "d"]),
            (Syntax::V2, "HeadersRegexp(`a`,`b`)", MatcherKind::HeaderRegexp, &["a", "b"]),
            (Syntax::V2, "Query(`a=b`,`c=d`,`e=f`)", MatcherKind::Query, &["a=b", "c=d", "e=f"]),
            (Syntax::V2, "ClientIP(`::1`,`10.0.0.1`)", MatcherKind::ClientIp, &["::1", "10.0.0.1"]),
        ] {
            assert_eq!(parse(text, syntax), Ok(matcher(kind, arguments, 1)), "{text}");
        }
    }

    #[test]
    fn errors_point_at_the_column() {
        for (rule, column, expected) in [
            ("", 1, "a matcher, as Host or PathPrefix"),
            ("Host(`a`) && Paths(`/x`)", 14, "a matcher, as Host or PathPrefix"),
            ("Host(`ä`) && Headers(`X`, `y`)", 14, "a matcher of the v3 syntax (Headers is one of v2: see ruleSyntax)"),
            ("Host(a)", 6, "a text in backticks or double quotes"),
            ("Host(`a`, b)", 11, "a text in backticks or double quotes"),
            ("Host(`a`", 9, "a comma or a closing parenthesis"),
            ("Host(`a", 6, "the closing quote of this text"),
            ("Host(\"a\\.b\")", 8, "one of Go's escapes, as \\\\ for a backslash"),
            ("Host(`a`) Host(`b`)", 11, "&&, || or the end of the rule"),
            ("Host(`a`) & Host(`b`)", 11, "&&, || or the end of the rule"),
            ("Host(`a`) ||", 13, "a matcher, as Host or PathPrefix"),
            ("Host(`a`) || !", 15, "a matcher, as Host or PathPrefix"),
            ("(Host(`a`)", 11, "&&, || or a closing parenthesis"),
            ("()", 2, "a matcher, as Host or PathPrefix"),
            ("Host", 5, "an opening parenthesis"),
            ("Host(`é`) x", 11, "&&, || or the end of the rule"),
            ("Host(`é`) || Host()", 14, "Host with at least one argument"),
            ("Host(,)", 6, "a text in backticks or double quotes"),
            ("Host(``)", 6, "a text that is not empty"),
            ("Host(`a`) && Path(`/a`, `/b`)", 14, "Path with one argument"),
            ("Header(`a`)", 1, "Header with two arguments"),
            ("Query(`a`, `b`, `c`)", 1, "Query with one or two arguments"),
            ("PathPrefix(`a`)", 12, "a path that begins with a slash"),
        ] {
            let error = parse(rule, Syntax::V3).unwrap_err();
            assert_eq!((error.column, error.expected.as_str()), (column, expected), "{rule}");
        }
        let error = parse("Headers(`a`, `b`, `c`)", Syntax::V2).unwrap_err();
        assert_eq!(error.to_string(), "at column 1 Headers with pairs of arguments");
    }

    #[test]
    fn an_unknown_matcher_has_its_nearest() {
        for (syntax, rule, nearest) in [
            (Syntax::V3, "Hots(`a`)", Some("Host")),
            (Syntax::V3, "Headers(`a`, `b`)", Some("Header")),
            (Syntax::V3, "HostHeader(`a`)", Some("Host")),
            (Syntax::V2, "Header(`a`, `b`)", Some("Headers")),
            (Syntax::V2, "PathRegexp(`a`)", None),
            (Syntax::V3, "PathPrefixStrip(`/a`)", Some("PathPrefix")),
            (Syntax::V3, "Xyz(`a`)", None),
        ] {
            assert_eq!(parse(rule, syntax).unwrap_err().nearest.as_deref(), nearest, "{rule}");
        }
    }
}
