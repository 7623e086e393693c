//! Web links (RFC 8288): where else a resource is to be had.

use crate::host::Response;

/// The targets of an answer's links of one relation type, in their order, as they stand there. Several headers and
/// several links in one are the same thing (§3.5); what is no link is skipped.
pub(crate) fn targets(response: &Response, relation: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for (name, value) in &response.headers {
        if name == "link" {
            for link in parts(value, b',') {
                targets.extend(target(link, relation).map(str::to_owned));
            }
        }
    }
    targets
}

/// The target of `<target>; rel="one two"; other=x`, if the relation type is among them.
fn target<'a>(link: &'a str, relation: &str) -> Option<&'a str> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    for parameter in parts(parameters, b';') {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        // Only the first `rel` counts (§3.3).
        if name.trim().eq_ignore_ascii_case("rel") {
            let mut kinds = value.split(['"', ' ', '\t']);
            return kinds.any(|kind| kind.eq_ignore_ascii_case(relation)).then_some(target);
        }
    }
    None
}

/// A text cut at the separators that stand neither in quotes nor in angle brackets.
fn parts(text: &str, separator: u8) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut in_quotes, mut in_brackets, mut is_escaped) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_quotes => is_escaped = true,
            b'"' if !in_brackets => in_quotes = !in_quotes,
            b'<' if !in_quotes => in_brackets = true,
            b'>' if !in_quotes => in_brackets = false,
            _ if byte == separator && !in_quotes && !in_brackets => {
                parts.extend(text.get(start..at));
                start = at.saturating_add(1);
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn alternates(values: &[&str]) -> Vec<String> {
        let headers = values.iter().map(|value| ("link".to_owned(), (*value).to_owned())).collect();
        targets(&Response { status: 200, headers, body: Vec::new() }, "alternate")
    }

    /// The example of RFC 8555 §7.4.2, <https://www.rfc-editor.org/rfc/rfc8555#section-7.4.2>.
    #[test]
    fn the_rfcs_example_has_no_alternate() {
        assert!(alternates(&[r#"<https://example.com/acme/directory>;rel="index""#]).is_empty());
    }

    #[test]
    fn several_headers_and_several_links_in_one_are_the_same() {
        let one = r#"<https://ca/1>;rel="alternate""#;
        let two = r#"<https://ca/2>;rel="alternate""#;
        assert_eq!(alternates(&[one, two]), ["https://ca/1", "https://ca/2"]);
        assert_eq!(alternates(&[&format!("{one}, {two}")]), ["https://ca/1", "https://ca/2"]);
        assert_eq!(alternates(&[&format!("{one},{two},")]), ["https://ca/1", "https://ca/2"]);
    }

    #[test]
    fn separators_in_urls_and_quotes_do_not_count() {
        for (value, expected) in [
            (r#"<https://ca/a,b;c>; rel="alternate""#, "https://ca/a,b;c"),
            (r#"<https://ca/1>; title="x, <y>; rel=index"; REL=Alternate"#, "https://ca/1"),
            (r#"<https://ca/1>; title="a \" , b"; rel="up  alternate""#, "https://ca/1"),
            ("  <https://ca/1> ; rel = alternate ", "https://ca/1"),
        ] {
            assert_eq!(alternates(&[value]), [expected], "{value}");
        }
    }

    #[test]
    fn what_is_no_link_is_skipped() {
        for value in [
            "",
            ",;,",
            "https://ca/1;rel=alternate",
            "<https://ca/1",
            "<https://ca/1>",
            "<https://ca/1>;rel",
            r#"<https://ca/1>;title="rel=alternate"#,
            r#"<https://ca/1>;rel="index";rel="alternate""#,
            "<https://ca/1>;xrel=alternate",
            "\"<<>>\\",
        ] {
            assert!(alternates(&[value]).is_empty(), "{value}");
        }
    }
}
