//! Text from outside, made fit for a log.

use std::fmt::{self, Write};

/// The longest text of a peer that is shown, in characters: a problem's detail fits, a page of HTML does not.
const MAX_SHOWN: usize = 400;

/// Escapes a peer's text into one line of at most 400 characters: control characters and marks that reorder text are
/// escaped, the rest is cut off. Every such text is escaped before it reaches a log, since it may hold line breaks or
/// terminal escapes.
pub fn one_line(text: &str) -> String {
    let end = text.char_indices().nth(MAX_SHOWN).map(|(end, _)| end);
    let mut line = OneLine::new(String::new(), usize::MAX);
    // Without a limit, writing does not fail.
    let _ = line.write_str(end.and_then(|end| text.get(..end)).unwrap_or(text));
    if end.is_some() {
        line.text.push('…');
    }
    line.text
}

/// A line being written: whatever is written into it, it stays one line, and within its limit.
pub struct OneLine {
    text: String,
    limit: usize,
}

impl OneLine {
    /// A line that begins with this text and has at most so many bytes.
    pub fn new(text: String, limit: usize) -> Self {
        Self { text, limit }
    }

    /// The line.
    pub fn into_text(self) -> String {
        self.text
    }
}

impl Write for OneLine {
    /// Fails where the text is too long; what fits is in the line then.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.text.len().saturating_add(character.len_utf8()) > self.limit {
                return Err(fmt::Error);
            }
            if is_hostile(character) {
                self.text.extend(character.escape_default());
            } else {
                self.text.push(character);
            }
        }
        Ok(())
    }
}

/// True for line ends, terminal escapes, and bidirectional marks, by which a terminal shows another text than is there.
fn is_hostile(character: char) -> bool {
    let is_mark =
        matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    is_mark || character.is_control()
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::one_line;

    #[test]
    fn escapes_line_breaks_and_terminal_sequences() {
        assert_eq!(one_line("a\r\nb\u{1b}[31mc\u{202e}d é"), "a\\r\\nb\\u{1b}[31mc\\u{202e}d é");
        assert_eq!(one_line("\u{85}\u{200f}déjà 例え"), "\\u{85}\\u{200f}déjà 例え");
    }

    #[test]
    fn cuts_long_text() {
        assert_eq!(one_line(&"x".repeat(5000)).chars().count(), 401);
    }
}
