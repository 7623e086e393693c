//! Texts in quotes, as Go reads them (The Go Programming Language Specification, "String literals").

use winnow::error::ParserError;
use winnow::prelude::*;
use winnow::token::{any, take, take_till};

/// A malformed literal: the fault, and the rest of the rule from there.
pub(super) struct Malformed<'a> {
    pub(super) rest: &'a str,
    pub(super) expected: &'static str,
}

/// A failure within quotes. Once a quote is open there is no alternative to try, so no details are needed.
struct Failed;

impl ParserError<&str> for Failed {
    type Inner = Self;

    fn from_input(_: &&str) -> Self {
        Self
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// A text in backticks, which may have line breaks and no escapes, or in double quotes.
pub(super) fn quoted<'a>(input: &mut &'a str) -> Result<String, Malformed<'a>> {
    let start = *input;
    let unclosed = |_| Malformed { rest: start, expected: "the closing quote of this text" };
    match any::<_, Failed>.parse_next(input) {
        Ok('`') => {
            let raw: &str =
                (take_till::<_, _, Failed>(0.., '`'), any).map(|(raw, _)| raw).parse_next(input).map_err(unclosed)?;
            Ok(raw.replace('\r', ""))
        }
        Ok('"') => {
            let mut bytes = Vec::new();
            loop {
                let plain = take_till::<_, _, Failed>(0.., ['"', '\\', '\n']).parse_next(input).map_err(unclosed)?;
                bytes.extend_from_slice(plain.as_bytes());
                let rest = *input;
                match any::<_, Failed>.parse_next(input).map_err(unclosed)? {
                    '"' => break,
                    '\\' => escape(input, &mut bytes).map_err(|Failed| Malformed {
                        rest,
                        expected: "one of Go's escapes, as \\\\ for a backslash",
                    })?,
                    _ => return Err(unclosed(Failed)),
                }
            }
            String::from_utf8(bytes).map_err(|_| Malformed { rest: start, expected: "a text whose escapes give UTF-8" })
        }
        _ => Err(Malformed { rest: start, expected: "a text in backticks or double quotes" }),
    }
}

/// Parses the part of an escape after the backslash.
fn escape(input: &mut &str, bytes: &mut Vec<u8>) -> Result<(), Failed> {
    let digits = *input;
    let byte = match any(input)? {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        '"' => b'"',
        'x' => u8::try_from(number(input, 2, 16)?).map_err(|_| Failed)?,
        '0'..='7' => {
            *input = digits;
            u8::try_from(number(input, 3, 8)?).map_err(|_| Failed)?
        }
        kind @ ('u' | 'U') => {
            let code = number(input, if kind == 'u' { 4 } else { 8 }, 16)?;
            let letter = char::from_u32(code).ok_or(Failed)?;
            bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(());
        }
        _ => return Err(Failed),
    };
    bytes.push(byte);
    Ok(())
}

fn number(input: &mut &str, digits: usize, radix: u32) -> Result<u32, Failed> {
    let digits: &str = take(digits).verify(|text: &str| text.chars().all(|c| c.is_digit(radix))).parse_next(input)?;
    u32::from_str_radix(digits, radix).map_err(|_| Failed)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn texts_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("`a.example`", "a.example"),
            ("`a\\\"\r\n`", "a\\\"\n"),
            ("``", ""),
            ("\"a.example\"", "a.example"),
            (r#""a\"\\.example""#, "a\"\\.example"),
            (r#""\a\b\f\n\r\t\v""#, "\u{7}\u{8}\u{c}\n\r\t\u{b}"),
            (r#""\x41\102\u00e9\U0001F600\xc3\xa9""#, "ABé\u{1f600}é"),
        ] {
            let mut rest = text;
            assert_eq!(quoted(&mut rest).ok().as_deref(), Some(expected), "{text}");
            assert_eq!(rest, "");
        }
    }

    #[test]
    fn what_go_refuses_is_refused_where_it_is_wrong() {
        for (text, rest, expected) in [
            ("a", "a", "a text in"),
            ("'a'", "'a'", "a text in"),
            ("", "", "a text in"),
            ("`a", "`a", "the closing quote"),
            ("\"a", "\"a", "the closing quote"),
            ("\"a\nb\"", "\"a\nb\"", "the closing quote"),
            (r#""a\.b""#, r#"\.b""#, "one of Go's escapes"),
            (r#""a\'b""#, r#"\'b""#, "one of Go's escapes"),
            (r#""\x+1""#, r#"\x+1""#, "one of Go's escapes"),
            (r#""\400""#, r#"\400""#, "one of Go's escapes"),
            (r#""\ud800""#, r#"\ud800""#, "one of Go's escapes"),
            (r#""\u00"#, r#"\u00"#, "one of Go's escapes"),
            (r#""\"#, r#"\"#, "one of Go's escapes"),
            (r#""\xff""#, r#""\xff""#, "a text whose escapes"),
        ] {
            let malformed = quoted(&mut &*text).unwrap_err();
            assert_eq!(malformed.rest, rest, "{text}");
            assert!(malformed.expected.starts_with(expected), "{text}: {}", malformed.expected);
        }
    }
}
