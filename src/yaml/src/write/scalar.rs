//! Scalars that every reader reads as the very same text.

use std::fmt::Write;

/// A text, quoted if it would be read as something else.
pub(super) fn scalar(text: &str) -> String {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte);
    let is_word = text.bytes().all(|byte| is_safe(byte) || byte == b':' || byte == b'@');
    let starts_well = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'/');
    let has_meaning = |word: &&str| word.eq_ignore_ascii_case(text);
    let means_something = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"].iter().any(has_meaning);
    // No reader takes a duration for a number, and `0.05s` is prettier without quotes.
    let is_duration = text.strip_suffix('s').is_some_and(|digits| {
        digits.starts_with(|c: char| c.is_ascii_digit()) && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    });
    let is_address = text.parse::<std::net::Ipv4Addr>().is_ok();
    if is_duration || is_address || (is_word && starts_well && !means_something && !text.ends_with(':')) {
        return text.to_owned();
    }
    if text.chars().any(is_odd) {
        return escaped(text);
    }
    if text.contains(['\\', '"']) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    format!("\"{text}\"")
}

/// True for line breaks, control characters, and characters that some readers take for such or refuse.
fn is_odd(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// A line of a comment, without characters that end a line for any reader: YAML 1.1 has five line breaks.
pub(super) fn comment_line(text: &str) -> String {
    let mut line = String::from("# ");
    for c in text.chars() {
        match c {
            odd if is_odd(odd) => push_escaped(&mut line, odd),
            plain => line.push(plain),
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// All odd characters are below U+10000.
fn push_escaped(text: &mut String, odd: char) {
    // Writing to a String never fails.
    let _ = write!(text, "\\u{:04x}", u32::from(odd));
}

/// The text in double quotes.
fn escaped(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            odd if is_odd(odd) => push_escaped(&mut quoted, odd),
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

/// True if a text of several lines can be a block scalar: it ends with a line break, its first line shows its
/// indentation, and no line begins oddly.
pub(super) fn is_block(text: &str) -> bool {
    let is_indented = |line: &str| line.starts_with(' ');
    let is_plain = |line: &str| !line.starts_with('\t') && !line.chars().any(is_odd);
    let mut lines = text.split('\n');
    let first = lines.next().is_some_and(|line| !is_indented(line) && is_plain(line));
    let others = lines.all(|line| is_plain(line) && !(is_indented(line) && line.trim().is_empty()));
    first && others && text.ends_with('\n') && !text.ends_with("\n\n") && !text.starts_with('\n')
}
