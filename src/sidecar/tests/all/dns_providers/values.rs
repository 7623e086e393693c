//! TXT values as APIs spell them.

/// A text in quotes.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// A text out of its quotes.
pub(crate) fn unquoted(text: &str) -> String {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap().to_owned()
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
