//! Texts without content.

/// True for a file without content: the result of `touch`, of a truncation, or of a script that had nothing to write.
pub(super) fn is_blank(text: &[u8]) -> bool {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text).trim_ascii();
    text.is_empty() || text == b"null"
}

/// The byte order mark that some editors put before a text in UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
