//! Log lines: always one line, whatever text of a peer's is in them.

use std::fmt::Write;

use crate::proxy::{Level, ProxyHandle};

/// The longest line, in bytes: a hostile peer's text must not fill the disk.
const MAX_LINE: usize = 4096;

/// What every line begins with, so that `grep envoy-autocert` finds them all.
const PREFIX: &str = "envoy-autocert: ";

/// Writes a line.
pub(crate) fn line(proxy: &ProxyHandle, level: Level, text: &str) {
    let mut line = String::from(PREFIX);
    line.push_str(&one_line(text));
    if line.len() > MAX_LINE {
        line.truncate(line.floor_char_boundary(MAX_LINE));
        line.push('…');
    }
    proxy.log(level, &line);
}

/// The text with control characters (line ends, terminal escapes) and marks that reorder text written as `\u{…}`.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => escape(&mut line, character),
            _ if character.is_control() => escape(&mut line, character),
            _ => line.push(character),
        }
    }
    line
}

fn escape(line: &mut String, character: char) {
    // Writing to a String does not fail.
    let _ = write!(line, "\\u{{{:x}}}", u32::from(character));
}

/// Writes a line at a level: `log!(proxy, Info, "{name} is ready")`.
macro_rules! log {
    ($proxy:expr, $level:ident, $($text:tt)+) => {
        $crate::log::line(&$proxy, $crate::proxy::Level::$level, &format!($($text)+))
    };
}
pub(crate) use log;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_and_terminal_escapes_are_shown_and_not_obeyed() {
        assert_eq!(one_line("a\r\nb\u{1b}[31mc\u{202e}\u{85}"), "a\\r\\nb\\u{1b}[31mc\\u{202e}\\u{85}");
        assert_eq!(one_line("déjà 例え"), "déjà 例え");
    }
}
