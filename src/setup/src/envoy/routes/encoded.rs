//! Texts of a rule in the form of `:path`, where characters are percent-encoded that Traefik decodes before it
//! evaluates a rule. Envoy decodes only the unreserved ones of a path, and none of a query.
//!
//! Promises: no spelling of a character bypasses a rule, whatever the case of its digits. An encoded character in a
//! rule is matched in its encoded form.
//!
//! Refuses: regular expressions that match single bytes of such characters, or the ends of words.

use super::pieces::{PieceKind, quote, scan};

/// The expected form of a regular expression for a path, if its brackets or escapes are not supported.
pub(super) const EXPECTED: &str = "a regular expression in which characters that a path has encoded (anything but \
                                   A-Z a-z 0-9 and -._~!$&'()*+,;=:@/) stand outside of brackets, as (é|è), and without \
                                   \\s \\b \\p \\x and (?i) for them";

/// An encoded character, where no earlier part has matched the `%` of its first byte.
const ENCODED: &str = "(?i:%[0-9a-f]{2}(?:%[89ab][0-9a-f])*)";

/// True if Envoy leaves only one spelling of a path: the path has only unreserved characters and slashes.
pub(super) fn has_one_spelling(path: &str) -> bool {
    path.chars().all(|c| is_unreserved(c) || c == '/')
}

/// A regular expression for a path, including its encoded spellings.
pub(super) fn path_regexp(regexp: &str) -> Option<String> {
    let pieces: Vec<(PieceKind, &str)> = scan(regexp).collect();
    let is_ahead = |index: usize, any: &[&str]| {
        pieces.get(index).is_some_and(|(kind, piece)| *kind == PieceKind::Plain && any.contains(piece))
    };
    // The number of pieces up to the first of these, inclusive.
    let up_to = |index: usize, any: &[&str]| {
        let behind = pieces.get(index..).unwrap_or_default();
        behind
            .iter()
            .position(|(kind, piece)| *kind == PieceKind::Plain && any.contains(piece))
            .map_or(behind.len(), |at| at + 1)
    };
    let text =
        |index: usize, count: usize| pieces.iter().skip(index).take(count).map(|(_, piece)| *piece).collect::<String>();
    let (mut written, mut ignores_case, mut has_foreign) = (String::new(), false, false);
    let mut index = 0;
    while let Some((kind, piece)) = pieces.get(index) {
        let is_repeated = is_ahead(index + 1, &["*", "+"]);
        let mut count = 1;
        match (kind, *piece) {
            (PieceKind::Plain, "(") if is_ahead(index + 1, &["?"]) => {
                count = up_to(index, &[":", ")", ">"]);
                let head = text(index, count);
                ignores_case |= !head.ends_with('>') && head.contains('i');
                written.push_str(&head);
            }
            (PieceKind::Plain, "{") if is_repetition(&text(index, up_to(index, &["}"]))) => {
                count = up_to(index, &["}"]);
                written.push_str(&text(index, count));
            }
            (PieceKind::Plain, "%") => match triplet(&text(index, 3)) {
                Some(encoded) => {
                    count = 3;
                    written.push_str(&encoded);
                }
                None => written.push('%'),
            },
            (PieceKind::Plain, "(" | ")" | "|" | "*" | "+" | "?" | "^" | "$")
            | (PieceKind::Escape, r"\d" | r"\w" | r"\A" | r"\z") => {
                written.push_str(piece);
            }
            (PieceKind::Plain, ".") if is_repeated => written.push('.'),
            (PieceKind::Plain, ".") | (PieceKind::Escape, r"\D" | r"\W" | r"\S") => {
                written.push_str(&or_encoded(piece))
            }
            (PieceKind::Class, class) => written.push_str(&of_class(class, is_repeated)?),
            (PieceKind::Escape, escape) if escape.starts_with(r"\Q") => {
                let inner = escape.get(2..).unwrap_or_default();
                let inner = inner.strip_suffix(r"\E").unwrap_or(inner);
                has_foreign |= !inner.is_ascii();
                written.extend(inner.chars().map(in_path));
            }
            (PieceKind::Plain, literal) => {
                has_foreign |= !literal.is_ascii();
                written.extend(literal.chars().map(in_path));
            }
            (PieceKind::Escape, escape) => {
                let c = escape.chars().nth(1).filter(char::is_ascii_punctuation)?;
                written.push_str(&in_path(c));
            }
        }
        index += count;
    }
    (!(ignores_case && has_foreign)).then_some(written)
}

/// A name or a value in a query; it may contain an equals sign where no other part begins with one.
pub(super) fn in_query(text: &str, may_equal: bool) -> String {
    let of = |c: char| match c {
        ' ' => r"(?:\+|%20)".to_owned(),
        '+' | '&' | '%' | '#' => triplets(c),
        '=' if !may_equal => triplets(c),
        other => either(other),
    };
    text.chars().map(of).collect()
}

fn in_path(c: char) -> String {
    match c {
        c if is_unreserved(c) || c == '/' => quote(c.encode_utf8(&mut [0; 4])),
        '%' | '?' | '#' => triplets(c),
        other => either(other),
    }
}

fn is_unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~".contains(c)
}

fn either(c: char) -> String {
    format!("(?:{}|{})", quote(c.encode_utf8(&mut [0; 4])), triplets(c))
}

/// The percent-encoded character.
fn triplets(c: char) -> String {
    let bytes: String = c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("%{byte:02x}")).collect();
    format!("(?i:{bytes})")
}

/// An encoded character in a rule.
fn triplet(text: &str) -> Option<String> {
    let code = text.strip_prefix('%').filter(|code| code.len() == 2)?;
    let byte = u8::from_str_radix(code, 16).ok().filter(|_| code.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    // Envoy has decoded the character.
    let c = char::from(byte);
    Some(if is_unreserved(c) { either(c) } else { format!("(?i:%{byte:02x})") })
}

/// True for `{2}`, `{2,}` or `{2,3}`; other braces are literal.
fn is_repetition(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else { return false };
    let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
    !least.is_empty() && [least, most].iter().all(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
}

fn or_encoded(piece: &str) -> String {
    format!("(?:{piece}|{ENCODED})")
}

/// A character class; a negated one matches encoded characters too. `None` if the class contains a character that is
/// encoded in paths.
fn of_class(class: &str, is_repeated: bool) -> Option<String> {
    let inner = class.strip_prefix('[')?.strip_suffix(']')?;
    let (is_negated, inner) = inner.strip_prefix('^').map_or((false, inner), |inner| (true, inner));
    let rest = ["alnum", "alpha", "digit", "lower", "upper", "word", "xdigit"]
        .iter()
        .fold(inner.to_owned(), |rest, name| rest.replace(&format!("[:{name}:]"), "0"));
    let mut characters = rest.chars().peekable();
    let mut last = None;
    while let Some(c) = characters.next() {
        let c = match c {
            '\\' => match characters.next()? {
                'd' | 'w' => '0',
                escaped if escaped.is_ascii_punctuation() => escaped,
                _ => return None,
            },
            '-' if last.is_some() && characters.peek().is_some() => {
                let (from, to) = (last.take()?, characters.next()?);
                let kinds: [fn(&char) -> bool; 3] =
                    [char::is_ascii_digit, char::is_ascii_lowercase, char::is_ascii_uppercase];
                if !kinds.iter().any(|is| is(&from) && is(&to)) {
                    return None;
                }
                continue;
            }
            '[' if characters.peek() == Some(&':') => return None,
            other => other,
        };
        if !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(c) {
            return None;
        }
        last = Some(c);
    }
    // If repeated, the class matches an encoded character piece by piece, unless it excludes some of the pieces.
    let leaves_out_bits = rest.contains(|c: char| c == '%' || c.is_ascii_alphanumeric());
    Some(if is_negated && (leaves_out_bits || !is_repeated) { or_encoded(class) } else { class.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_texts_have_one_spelling() {
        assert!(has_one_spelling("/a.b-c_d~e/9"));
        for path in ["/my admin", "/größe", "/a^b", "/@admin", "/a%2Fb", "/a:b"] {
            assert!(!has_one_spelling(path), "{path}");
        }
    }

    #[test]
    fn literals_are_taken_in_every_spelling() {
        for (regexp, expected) in [
            ("^/a.b*c", r"^/a(?:.|(?i:%[0-9a-f]{2}(?:%[89ab][0-9a-f])*))b*c"),
            (r"^/a\.b", r"^/a\.b"),
            ("^/ä+", "^/(?:ä|(?i:%c3%a4))+"),
            (r"/a\^b", r"/a(?:\^|(?i:%5e))b"),
            (r"\Q/a b\E", "/a(?: |(?i:%20))b"),
            ("/@", "/(?:@|(?i:%40))"),
            ("/%2F%61", "/(?i:%2f)(?:a|(?i:%61))"),
            ("/{a}{2}", r"/(?:\{|(?i:%7b))a(?:\}|(?i:%7d)){2}"),
            ("(?i)^/(?P<id>a|b)(?:c)$", "(?i)^/(?P<id>a|b)(?:c)$"),
        ] {
            assert_eq!(path_regexp(regexp).as_deref(), Some(expected), "{regexp}");
        }
    }

    #[test]
    fn any_character_may_be_an_encoded_one() {
        for regexp in ["^/.*$", "/[^/]+", "/[a-z0-9_-]{2,3}", r"/\d+\w", "/[[:alpha:]]", "/[^/.]*"] {
            assert_eq!(path_regexp(regexp).as_deref(), Some(regexp));
        }
        for piece in ["[^/]", "[^a-f]", r"[^\d]", r"\S", r"\W", "."] {
            let written = path_regexp(&format!("^/{piece}$"));
            assert_eq!(written, Some(format!("^/(?:{piece}|{ENCODED})$")));
        }
        assert_eq!(path_regexp("[^a]+"), Some(format!("(?:[^a]|{ENCODED})+")));
    }

    #[test]
    fn what_asks_for_a_part_of_an_encoded_character_is_refused() {
        for regexp in
            ["[äö]", "[ -~]", "[A-z]", "[^ ]", r"[\s]", r"\s", r"\bx", r"\x20", r"\pL", "[[:punct:]]", r"[\^]", "(?i)ä"]
        {
            assert_eq!(path_regexp(regexp), None, "{regexp}");
        }
    }

    #[test]
    fn names_and_values_of_queries_are_taken_in_every_spelling() {
        assert_eq!(in_query("a.", true), r"(?:a|(?i:%61))(?:\.|(?i:%2e))");
        assert_eq!(in_query(" +&", true), r"(?:\+|%20)(?i:%2b)(?i:%26)");
        assert_eq!(in_query("=", false) + &in_query("=", true), "(?i:%3d)(?:=|(?i:%3d))");
        assert_eq!(in_query("ö", true), "(?:ö|(?i:%c3%b6))");
    }
}
