//! A router's `rule` (Traefik's syntax): which hosts it is for.
//!
//! `` Host(`a.example`, `b.example`) `` and `HostSNI`, joined by `||` and `&&`, with parentheses. Any other matcher is
//! refused by its name and column, since it may decide which hosts a rule is for.

use winnow::ascii::multispace0;
use winnow::combinator::{alt, cut_err, delimited, fail, preceded, repeat, separated, terminated};
use winnow::error::{ContextError, StrContext, StrContextValue};
use winnow::prelude::*;
use winnow::token::{literal, take_till, take_while};

/// Longer rules are refused: they would be a mistake, and a parser's time is bounded by its input.
const MAX_RULE: usize = 64 * 1024;

/// How deep parentheses may go.
const MAX_DEPTH: usize = 32;

/// Where a rule is wrong, and what was expected there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RuleError {
    /// Counted in characters, from 1.
    pub(super) column: usize,
    pub(super) expected: String,
}

/// The arguments of all `Host` and `HostSNI` in a rule, in their order.
pub(super) fn hosts(rule: &str) -> Result<Vec<String>, RuleError> {
    if rule.len() > MAX_RULE {
        return Err(RuleError { column: 1, expected: format!("a rule of at most {MAX_RULE} bytes") });
    }
    let whole = |input: &mut &str| terminated(|input: &mut &str| expression(input, 0), multispace0).parse_next(input);
    terminated(whole, end).parse(rule).map_err(|error| {
        let column = rule.char_indices().take_while(|(offset, _)| *offset < error.offset()).count().saturating_add(1);
        RuleError { column, expected: expectation(error.inner()) }
    })
}

/// A `RuleError` out of the parser's own error: what it last said it wanted.
fn expectation(error: &ContextError) -> String {
    let expected = error.context().find_map(|context| match context {
        StrContext::Expected(StrContextValue::Description(what)) => Some((*what).to_owned()),
        _ => None,
    });
    expected.unwrap_or_else(|| "Host(`a.example`)".to_owned())
}

fn wants(what: &'static str) -> StrContext {
    StrContext::Expected(StrContextValue::Description(what))
}

fn end(input: &mut &str) -> ModalResult<()> {
    if input.is_empty() {
        Ok(())
    } else {
        cut_err(fail.context(wants("&&, || or the end of the rule"))).parse_next(input)
    }
}

fn expression(input: &mut &str, depth: usize) -> ModalResult<Vec<String>> {
    if depth > MAX_DEPTH {
        return cut_err(fail.context(wants("fewer nested parentheses"))).parse_next(input);
    }
    let operator = delimited(multispace0, alt((literal("||"), literal("&&"))), multispace0);
    let terms: Vec<Vec<String>> = separated(1.., |input: &mut &str| term(input, depth), operator).parse_next(input)?;
    Ok(terms.concat())
}

fn term(input: &mut &str, depth: usize) -> ModalResult<Vec<String>> {
    multispace0.parse_next(input)?;
    if input.starts_with('(') {
        let inner = |input: &mut &str| expression(input, depth.saturating_add(1));
        let close = cut_err(preceded(multispace0, literal(")")).context(wants("a closing parenthesis")));
        return delimited(literal("("), inner, close).parse_next(input);
    }
    cut_err(matcher).parse_next(input)
}

fn matcher(input: &mut &str) -> ModalResult<Vec<String>> {
    let mut ahead = *input;
    let name: &str = take_while(0.., |c: char| c.is_ascii_alphanumeric()).parse_next(&mut ahead)?;
    if !["host", "hostsni"].contains(&name.to_ascii_lowercase().as_str()) {
        return fail.context(wants("Host or HostSNI (this version knows no other matchers)")).parse_next(input);
    }
    *input = ahead;
    let open = cut_err(preceded(multispace0, literal("(")).context(wants("an opening parenthesis")));
    let close = cut_err(preceded(multispace0, literal(")")).context(wants("a comma or a closing parenthesis")));
    let comma = delimited(multispace0, literal(","), multispace0);
    let arguments = separated(1.., preceded(multispace0, cut_err(quoted)), comma);
    delimited(open, arguments, close).parse_next(input)
}

/// A text in backticks, or in double quotes with backslash escapes, as in Go.
fn quoted(input: &mut &str) -> ModalResult<String> {
    let raw = delimited(literal("`"), take_till(0.., '`'), literal("`")).map(str::to_owned);
    let plain = take_till(1.., ['"', '\\']).map(str::to_owned);
    let escaped = preceded(literal("\\"), alt((literal("\""), literal("\\")))).map(|text: &str| text.to_owned());
    let pieces = repeat(0.., alt((plain, escaped))).fold(String::new, |text, piece: String| text + &piece);
    let double = delimited(literal("\""), pieces, literal("\""));
    alt((raw, double)).context(wants("a host in backticks or double quotes")).parse_next(input)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn hosts_across_operators_and_parentheses() {
        for (rule, expected) in [
            ("Host(`a.example`)", &["a.example"][..]),
            ("Host(`a.example`, `b.example`)", &["a.example", "b.example"]),
            ("Host(`a.example`) || Host(\"b.example\")", &["a.example", "b.example"]),
            ("(Host(`a.example`)&&(HostSNI(`b.example`)))", &["a.example", "b.example"]),
            ("  Host ( `a.example` )  ", &["a.example"]),
            (r#"Host("a\"\\.example")"#, &["a\"\\.example"]),
        ] {
            assert_eq!(hosts(rule).unwrap(), expected, "{rule}");
        }
    }

    #[test]
    fn errors_point_at_the_column() {
        for (rule, column, expected) in [
            ("", 1, "Host or HostSNI (this version knows no other matchers)"),
            ("Path(`/x`)", 1, "Host or HostSNI (this version knows no other matchers)"),
            ("Host(`a`) && Path(`/x`)", 14, "Host or HostSNI (this version knows no other matchers)"),
            ("!Host(`a`)", 1, "Host or HostSNI (this version knows no other matchers)"),
            ("Host(a)", 6, "a host in backticks or double quotes"),
            ("Host(`a`", 9, "a comma or a closing parenthesis"),
            ("Host(`a", 6, "a host in backticks or double quotes"),
            ("Host(`a`) Host(`b`)", 11, "&&, || or the end of the rule"),
            ("Host(`a`) ||", 13, "Host or HostSNI (this version knows no other matchers)"),
            ("(Host(`a`)", 11, "a closing parenthesis"),
            ("Host", 5, "an opening parenthesis"),
            ("Host(`é`) x", 11, "&&, || or the end of the rule"),
        ] {
            let error = hosts(rule).unwrap_err();
            assert_eq!((error.column, error.expected.as_str()), (column, expected), "{rule}");
        }
    }

    #[test]
    fn nesting_and_length_are_bounded() {
        assert!(hosts(&"(".repeat(10_000)).unwrap_err().expected.contains("fewer nested"));
        assert!(hosts(&" ".repeat(MAX_RULE + 1)).unwrap_err().expected.contains("at most"));
    }
}
