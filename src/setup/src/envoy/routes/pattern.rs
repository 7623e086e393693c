//! Converts Go's regular expressions for Envoy. Both are RE2, but Go searches for a match anywhere in the host or the
//! path, and Envoy matches the whole of `:authority` with its port, or of `:path` with its query.

use super::encoded::in_query;
use super::pieces::{PieceKind, quote, scan};

/// The suffix of a host in `:authority`: Envoy finds its virtual host whatever is in place of a port.
pub(super) const PORT: &str = r"(?::[^:\]]*)?";

/// The error in a regular expression, as Go would report it. Syntax that this parser refuses and Go accepts is ignored:
/// braces that are no repetition, and `\Q`.
pub(super) fn mistake(regexp: &str) -> Option<String> {
    use regex_syntax::ast::{ErrorKind, parse::Parser};
    if regexp.contains(r"\Q") {
        return None;
    }
    match Parser::new().parse(regexp).err()?.kind() {
        ErrorKind::RepetitionCountDecimalEmpty
        | ErrorKind::RepetitionCountInvalid
        | ErrorKind::RepetitionCountUnclosed
        | ErrorKind::RepetitionMissing
            if regexp.contains('{') =>
        {
            None
        }
        kind => Some(kind.to_string()),
    }
}

/// A regular expression for the whole of a text in which `regexp` has a match.
pub(super) fn whole(regexp: &str) -> String {
    around(regexp, ".*", ".*")
}

/// A regular expression for a host, ignoring case, in `:authority`.
pub(super) fn of_authority(regexp: &str) -> String {
    let inner = rewrite(regexp, None, &format!("{PORT}$"));
    format!("(?i){}", around(&inner, ".*", ".*"))
}

/// A regular expression for a path, in `:path`.
pub(super) fn of_path(regexp: &str) -> String {
    let inner = rewrite(regexp, Some('?'), r"(?:\?.*)?$");
    around(&inner, r"[^?]*", ".*")
}

/// A regular expression for a value of the query parameter `key`, in `:path`. `None` if it can't be applied to a part
/// of a text.
pub(super) fn of_query(key: &str, regexp: &str) -> Option<String> {
    let inner = rewrite(regexp, Some('&'), "$");
    if has_alternatives(&inner) || regexp.starts_with("(?") {
        return None;
    }
    let (head, inner) = inner.strip_prefix('^').map_or(("[^&]*", inner.as_str()), |inner| ("", inner));
    let ends = ends_with_dollar(inner);
    let (inner, tail) = if ends { (inner.strip_suffix('$')?, "") } else { (inner, "[^&]*") };
    let has_anchor = rewrite(inner, None, "\u{0}").contains('\u{0}') || inner.contains('^') && !inner.contains("[^");
    (!has_anchor).then(|| format!("{}{head}(?:{inner}){tail}(?:&.*)?", before_value(key)))
}

/// A regular expression for this value of the query parameter `key`, in `:path`, as clients encode it.
pub(super) fn of_query_value(key: &str, value: &str) -> String {
    let equals = if value.is_empty() { "=?" } else { "" };
    let before = before_value(key);
    let before = if value.is_empty() { before.trim_end_matches('=') } else { &before };
    format!("{before}{equals}{}(?:&.*)?", in_query(value, true))
}

/// The regular expression of a v2 template: `{name}` matches anything but a separator, `{name:regexp}` matches the
/// regular expression. `None` if a brace is not closed.
pub(super) fn of_template(template: &str, default: &str) -> Option<String> {
    let mut regexp = String::new();
    let mut rest = template;
    while let Some((literal, behind)) = rest.split_once('{') {
        regexp.push_str(&quote(literal));
        let mut depth = 1_usize;
        let end = behind.char_indices().find_map(|(index, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            (depth == 0).then_some(index)
        })?;
        let (variable, after) = behind.split_at(end);
        let inner = variable.split_once(':').map_or(default, |(_, regexp)| regexp);
        regexp.push_str(&format!("(?:{inner})"));
        rest = after.get(1..)?;
    }
    (!rest.contains('}')).then(|| regexp + &quote(rest))
}

/// A regular expression for the query parameter `key`, with any value or none, in `:path`.
pub(super) fn of_query_key(key: &str) -> String {
    format!(r"{}(?:[=&].*)?", before_value(key).trim_end_matches('='))
}

fn before_value(key: &str) -> String {
    format!(r"[^?]*\?(?:.*&)?{}=", in_query(key, false))
}

/// Allows text before and after a match, unless the expression is anchored.
fn around(regexp: &str, before: &str, behind: &str) -> String {
    if has_alternatives(regexp) || regexp.starts_with("(?") {
        return format!("{before}(?:{regexp}){behind}");
    }
    let before = if regexp.starts_with('^') { "" } else { before };
    let behind = if ends_with_dollar(regexp) { "" } else { behind };
    format!("{before}{regexp}{behind}")
}

fn has_alternatives(regexp: &str) -> bool {
    let mut depth = 0_usize;
    scan(regexp).any(|(kind, piece)| {
        match (kind, piece) {
            (PieceKind::Plain, "(") => depth += 1,
            (PieceKind::Plain, ")") => depth = depth.saturating_sub(1),
            _ => {}
        }
        kind == PieceKind::Plain && piece == "|" && depth == 0
    })
}

fn ends_with_dollar(regexp: &str) -> bool {
    scan(regexp).last() == Some((PieceKind::Plain, "$"))
}

/// Replaces the anchor at the end of the text, and excludes the character `never` from everything except literals.
fn rewrite(regexp: &str, never: Option<char>, end: &str) -> String {
    let mut written = String::new();
    for (kind, piece) in scan(regexp) {
        match (kind, piece, never) {
            (PieceKind::Plain, "$", _) | (PieceKind::Escape, r"\z", _) => written.push_str(end),
            (PieceKind::Plain, ".", Some(never)) => written.push_str(&format!("[^{never}]")),
            (PieceKind::Class, class, Some(never)) if class.starts_with("[^") => {
                written.push_str(&format!("[^{never}{}", class.get(2..).unwrap_or_default()));
            }
            (_, piece, _) => written.push_str(piece),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_anywhere_becomes_one_of_the_whole() {
        for (regexp, expected) in [
            ("^/api$", "^/api$"),
            ("api", ".*api.*"),
            ("^/a|b$", ".*(?:^/a|b$).*"),
            ("^/(a|b)", "^/(a|b).*"),
            (r"/x\$", r".*/x\$.*"),
            ("[a|$]$", ".*[a|$]$"),
            ("(?i)^/x$", ".*(?:(?i)^/x$).*"),
        ] {
            assert_eq!(whole(regexp), expected, "{regexp}");
        }
    }

    #[test]
    fn what_go_refuses_is_a_mistake() {
        for regexp in ["(", "[a", "a**b(", "(?=x)", r"\"] {
            assert!(mistake(regexp).is_some(), "{regexp}");
        }
        for regexp in ["^/a$", "{sub}", "a{,2}", r"\Qa(\E", "(?i)x", r"[[:alpha:]]\.\d+", "(?P<a>x)"] {
            assert_eq!(mistake(regexp), None, "{regexp}");
        }
    }

    #[test]
    fn ports_and_queries_are_no_part_of_hosts_and_paths() {
        assert_eq!(of_authority(r"^[a-z]+\.example$"), r"(?i)^[a-z]+\.example(?::[^:\]]*)?$");
        assert_eq!(of_authority("example"), "(?i).*example.*");
        assert_eq!(of_path("^/a.[^/]$"), r"^/a[^?][^?/](?:\?.*)?$");
        assert_eq!(of_path("x"), r"[^?]*x.*");
    }

    #[test]
    fn queries() {
        assert_eq!(
            of_query_value("q", "a b"),
            r"[^?]*\?(?:.*&)?(?:q|(?i:%71))=(?:a|(?i:%61))(?:\+|%20)(?:b|(?i:%62))(?:&.*)?"
        );
        assert_eq!(of_query_value("q", ""), r"[^?]*\?(?:.*&)?(?:q|(?i:%71))=?(?:&.*)?");
        assert_eq!(of_query("q", "^[0-9]+$").as_deref(), Some(r"[^?]*\?(?:.*&)?(?:q|(?i:%71))=(?:[0-9]+)(?:&.*)?"));
        assert_eq!(of_query("q", "a.").as_deref(), Some(r"[^?]*\?(?:.*&)?(?:q|(?i:%71))=[^&]*(?:a[^&])[^&]*(?:&.*)?"));
        assert_eq!(of_query_key("q"), r"[^?]*\?(?:.*&)?(?:q|(?i:%71))(?:[=&].*)?");
        assert_eq!(of_query("q", "^a|b$"), None);
        assert_eq!(of_query("q", "a(^b)"), None);
    }

    #[test]
    fn templates_of_v2() {
        assert_eq!(of_template("/a.b/{id}/x", "[^/]+").as_deref(), Some(r"/a\.b/(?:[^/]+)/x"));
        assert_eq!(of_template("{sub:[a-z]{2,3}}.example", "[^.]+").as_deref(), Some(r"(?:[a-z]{2,3})\.example"));
        assert_eq!(of_template("/{id", "[^/]+"), None);
        assert_eq!(of_template("/id}", "[^/]+"), None);
    }
}
