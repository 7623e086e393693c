//! Keys in paths and messages.

/// Maximum number of characters shown of a key.
const MAX_SHOWN: usize = 400;

/// A key on one line, bounded: control characters and marks that reorder text are escaped, the rest is cut off.
pub(super) fn shown(key: &str) -> String {
    let mut line = String::new();
    for (index, character) in key.chars().enumerate() {
        if index == MAX_SHOWN {
            line.push('…');
            break;
        }
        if is_hostile(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
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

    use super::*;

    #[test]
    fn a_key_stays_on_its_line() {
        assert_eq!(shown("a\r\nb\u{1b}[31mc\u{202e}d é"), "a\\r\\nb\\u{1b}[31mc\\u{202e}d é");
        assert_eq!(shown(&"x".repeat(400)).len(), 400);
        assert_eq!(shown(&"x".repeat(5000)).chars().count(), 401);
    }
}
