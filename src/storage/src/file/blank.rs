//! Texts without content.

/// Whether there is nothing in a file: what `touch`, a truncation or a script that had nothing to write leaves.
pub(super) fn is_blank(text: &[u8]) -> bool {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text).trim_ascii();
    text.is_empty() || text == b"null"
}

/// What some editors put before a text in UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
