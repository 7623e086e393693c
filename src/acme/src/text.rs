//! Text from outside, made fit for a log.

/// The longest text of a peer that is shown, in characters: a problem's detail fits, a page of HTML does not.
const MAX_SHOWN: usize = 400;

/// One line of at most 400 characters: control characters escaped, the rest cut off. For every text a peer wrote
/// before it reaches a log, since it may hold line breaks or terminal escapes.
pub fn one_line(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(MAX_SHOWN)
        .flat_map(|c| {
            // Bidirectional overrides can make a terminal show another text than the one that is there.
            let hostile = c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            let escaped = hostile.then(|| c.escape_default());
            escaped.into_iter().flatten().chain((!hostile).then_some(c))
        })
        .collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::one_line;

    #[test]
    fn escapes_line_breaks_and_terminal_sequences() {
        assert_eq!(one_line("a\r\nb\u{1b}[31mc\u{202e}d é"), "a\\r\\nb\\u{1b}[31mc\\u{202e}d é");
    }

    #[test]
    fn cuts_long_text() {
        assert_eq!(one_line(&"x".repeat(5000)).chars().count(), 401);
    }
}
