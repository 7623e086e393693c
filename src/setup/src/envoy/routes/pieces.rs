//! The pieces of a regular expression: literals, escapes and classes.

/// A regular expression for the literal text.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::new();
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PieceKind {
    Class,
    Escape,
    Plain,
}

/// The pieces of a regular expression: a class, an escape, or one character.
pub(super) fn scan(regexp: &str) -> impl Iterator<Item = (PieceKind, &str)> {
    let mut rest = regexp;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let (kind, length) = match first {
            '\\' if rest.starts_with(r"\Q") => (PieceKind::Escape, rest.find(r"\E").map_or(rest.len(), |end| end + 2)),
            '\\' => (PieceKind::Escape, 1 + rest.chars().nth(1).map_or(0, char::len_utf8)),
            '[' => (PieceKind::Class, class_length(rest)),
            other => (PieceKind::Plain, other.len_utf8()),
        };
        let (piece, behind) = rest.split_at(length);
        rest = behind;
        Some((kind, piece))
    })
}

/// The length of a class, which may begin with `]`, and contain `[:alpha:]` and escapes.
fn class_length(text: &str) -> usize {
    let mut index = if text.starts_with("[^") { 2 } else { 1 };
    let at = |index: usize| text.get(index..).unwrap_or_default();
    if at(index).starts_with(']') {
        index += 1;
    }
    while let Some(c) = at(index).chars().next() {
        match c {
            ']' => return index + 1,
            '[' if at(index).starts_with("[:") => index += at(index).find(":]").map_or(1, |end| end + 2),
            '\\' => index += 1 + at(index + 1).chars().next().map_or(0, char::len_utf8),
            other => index += other.len_utf8(),
        }
    }
    text.len()
}
