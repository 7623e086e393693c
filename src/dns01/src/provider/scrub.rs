//! Removes credentials from a foreign text: an API may echo its input.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::SecretText;

use super::table::Row;
use super::values::Values;

/// Minimum length of a credential: shorter values would match everywhere.
const SHORTEST: usize = 4;
/// Length of a credential's beginning that identifies it, in bytes: a text may be truncated within a credential.
const KNOWN_BY: usize = 8;

/// The credentials of a provider.
#[derive(Clone, Default)]
pub struct Scrub(Vec<SecretText>);

impl Scrub {
    /// Collects all values that are not public, verbatim and as encoded in a URL, in JSON or in Basic authentication.
    pub(super) fn new(row: &Row, values: &Values) -> Self {
        let is_public = |name: &str| row.variables.iter().any(|variable| variable.is_public && variable.name() == name);
        let mut scrub = Self::default();
        for (_, value) in values.iter().filter(|(name, _)| !is_public(name)) {
            scrub = scrub.and(value);
        }
        scrub
    }

    /// Adds another credential.
    pub fn and(mut self, secret: &str) -> Self {
        let json = serde_json::to_string(secret).unwrap_or_default();
        let json = json.trim_matches('"').to_owned();
        for form in [secret.to_owned(), json, in_url(secret)] {
            if form.len() >= SHORTEST && !self.0.iter().any(|known| known.expose() == form) {
                self.0.push(SecretText::new(form));
            }
        }
        // A longer credential may contain a shorter one.
        self.0.sort_by_key(|known| std::cmp::Reverse(known.expose().len()));
        self
    }

    /// The text without credentials, and without the query of any URL: session keys are there too.
    pub fn text(&self, text: &str) -> String {
        let mut clean = without_queries(text);
        for secret in &self.0 {
            let secret = secret.expose();
            let start = secret.get(..KNOWN_BY).unwrap_or(secret);
            while let Some(at) = clean.find(start) {
                let same = clean[at..].bytes().zip(secret.bytes()).take_while(|(one, other)| one == other).count();
                // Both texts are the same up to there, so the end is a character boundary in both.
                let end = (at + same..=clean.len()).find(|end| clean.is_char_boundary(*end)).unwrap_or(clean.len());
                clean.replace_range(at..end, "…");
            }
        }
        clean
    }
}

/// Whatever clients leave as it is in a URL.
const IN_A_URL: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'*');

fn in_url(secret: &str) -> String {
    utf8_percent_encode(secret, &IN_A_URL).collect()
}

fn without_queries(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        clean.push_str(before);
        let end = url.find(|c: char| c.is_whitespace() || "()<>\"'".contains(c)).unwrap_or(url.len());
        let (url, after) = url.split_at(end);
        match url.split_once('?') {
            Some((path, _)) => {
                clean.push_str(path);
                clean.push_str("?…");
            }
            None => clean.push_str(url),
        }
        rest = after;
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out_in_every_form_and_also_where_they_are_cut() {
        let scrub = Scrub::default().and("pa\"ss/word").and("0123456789abcdef");
        for (text, expected) in [
            ("it is pa\"ss/word.", "it is …."),
            (r#"{"password":"pa\"ss/word"}"#, r#"{"password":"…"}"#),
            ("key pa%22ss%2Fword", "key …"),
            ("token 0123456789abcdef0123456789abcdef", "token ……"),
            ("cut here: 0123456789ab", "cut here: …"),
            ("0123", "0123"),
        ] {
            assert_eq!(scrub.text(text), expected);
        }
    }

    #[test]
    fn what_follows_the_question_mark_of_a_url_is_taken_out() {
        let text = "Failed to send request to https://api.example/x?key=abc&b=c: no (https://a/b?c) is it? yes";
        let expected = "Failed to send request to https://api.example/x?… no (https://a/b?…) is it? yes";
        assert_eq!(Scrub::default().text(text), expected);
    }

    #[test]
    fn a_text_in_any_script_is_kept() {
        let scrub = Scrub::default().and("schlüsselß");
        assert_eq!(scrub.text("der schlüsselß ist schlüssel"), "der … ist …");
    }
}
