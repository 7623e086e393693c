//! Converts a name as users write it to the name in a certificate.
//!
//! International names become ASCII by UTS 46, for the scripts in `SCRIPTS`. The tables for all of Unicode would be a
//! fifth of the whole plugin; a name with other letters is refused, and can be written in its ASCII form (xn--…).

use std::net::IpAddr;

use crate::lower_case::lower_case;

/// Maximum length of a name and of a label (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// Maximum length of a character in UTF-8, in bytes.
const MAX_UTF8: usize = 4;

const TOO_LONG: &str = "a DNS name of at most 253 characters, with labels of at most 63";

/// A name for a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// A DNS name in lower-case ASCII, or an IP address in its canonical form.
    pub name: String,
    /// True if the user wrote a dot at the end, which certificates do not have.
    pub had_trailing_dot: bool,
}

impl Domain {
    /// True for a name such as `intranet`, which only a private CA certifies. A wildcard's star is no label.
    pub fn is_single_label(&self) -> bool {
        let host = self.name.strip_prefix("*.").unwrap_or(&self.name);
        !host.contains(['.', ':'])
    }
}

/// Reads a name: surrounding spaces are dropped, letters become lower case, international names become ASCII (UTS 46),
/// a dot at the end is removed. The error says what a name must be.
pub fn parse(text: &str) -> Result<Domain, &'static str> {
    let text = text.trim();
    if let Some(address) = address(text) {
        return Ok(Domain { name: address.to_string(), had_trailing_dot: false });
    }
    let (text, had_trailing_dot) = match text.strip_suffix('.') {
        Some(text) => (text, true),
        None => (text, false),
    };
    let (is_wildcard, host) = match text.strip_prefix("*.") {
        Some(parent) => (true, parent),
        None => (false, text),
    };
    if host.contains('*') {
        return Err("a name with one '*' at most, as its whole first label");
    }
    // Checked before IDNA, which takes quadratic time.
    if host.len() > MAX_NAME * MAX_UTF8 {
        return Err(TOO_LONG);
    }
    let host = to_ascii(host).ok_or("a DNS name; if these letters are right, write it in its ASCII form (xn--…)")?;
    let length = if is_wildcard { host.len().saturating_add(2) } else { host.len() };
    if length > MAX_NAME || host.split('.').any(|label| label.len() > MAX_LABEL) {
        return Err(TOO_LONG);
    }
    if !host.split('.').all(is_label) {
        return Err("a DNS name of letters, digits and inner hyphens");
    }
    if host.split('.').next_back().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
        return Err("a DNS name, or a whole IP address");
    }
    let name = if is_wildcard { format!("*.{host}") } else { host };
    Ok(Domain { name, had_trailing_dot })
}

/// An IP address, also IPv6 in brackets as in URLs. An IPv4-mapped IPv6 address becomes the IPv4 address, which is the
/// one that clients connect to.
fn address(text: &str) -> Option<IpAddr> {
    let address: Option<IpAddr> = match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(text) => text.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    };
    address.map(|address| address.to_canonical())
}

/// Scripts for which lower-casing alone gives the form of UTS 46, so that no other tables are needed: Latin, Greek,
/// Cyrillic, Armenian, Hiragana and Katakana, CJK ideographs, Hangul syllables. A test compares each letter with a full
/// implementation.
const SCRIPTS: [std::ops::RangeInclusive<char>; 14] = [
    '\u{df}'..='\u{12f}',
    '\u{131}'..='\u{131}',
    '\u{134}'..='\u{13e}',
    '\u{141}'..='\u{148}',
    '\u{14a}'..='\u{17e}',
    '\u{180}'..='\u{1c3}',
    '\u{1cd}'..='\u{1f0}',
    '\u{3ac}'..='\u{3ce}',
    '\u{430}'..='\u{481}',
    '\u{561}'..='\u{586}',
    '\u{3041}'..='\u{309e}',
    '\u{30a1}'..='\u{30fe}',
    '\u{4e00}'..='\u{9fff}',
    '\u{ac00}'..='\u{d7a3}',
];

/// Every label in lower-case ASCII; `None` for letters that are not in [`SCRIPTS`].
fn to_ascii(host: &str) -> Option<String> {
    if host.is_ascii() {
        return Some(host.to_ascii_lowercase());
    }
    let labels: Option<Vec<String>> = host.split('.').map(label_to_ascii).collect();
    labels.map(|labels| labels.join("."))
}

fn label_to_ascii(label: &str) -> Option<String> {
    // Letter by letter: in a whole word the final sigma would be lower-cased differently than in UTS 46.
    let label: String = label.chars().map(lower_case).collect();
    if label.is_ascii() {
        return Some(label);
    }
    if !label.chars().all(is_letter) {
        return None;
    }
    punycode::encode(&label).ok().map(|ascii| format!("xn--{ascii}"))
}

/// True if a label may have this lower-case letter before the label becomes ASCII.
pub(crate) fn is_letter(letter: char) -> bool {
    letter.is_ascii() || (letter.is_alphanumeric() && SCRIPTS.iter().any(|script| script.contains(&letter)))
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn name(text: &str) -> String {
        parse(text).unwrap().name
    }

    #[test]
    fn names_become_lower_case_ascii() {
        assert_eq!(name(" WWW.Example.COM "), "www.example.com");
        assert_eq!(name("bücher.example"), "xn--bcher-kva.example");
        assert_eq!(name("BÜCHER.example"), "xn--bcher-kva.example");
        assert_eq!(name("*.Example.com"), "*.example.com");
    }

    #[test]
    fn a_trailing_dot_is_removed_and_reported() {
        assert_eq!(parse("a.example.").unwrap(), Domain { name: "a.example".into(), had_trailing_dot: true });
    }

    #[test]
    fn addresses_take_their_canonical_form() {
        assert_eq!(name("192.0.2.1"), "192.0.2.1");
        assert_eq!(name("2001:DB8:0:0::1"), "2001:db8::1");
        assert_eq!(name("[2001:db8::1]"), "2001:db8::1");
        assert_eq!(name("::FFFF:192.0.2.1"), "192.0.2.1");
        assert_eq!(name("[::ffff:c000:201]"), "192.0.2.1");
    }

    #[test]
    fn a_name_of_one_label_is_known_by_that() {
        for (text, is_single) in [
            ("localhost", true),
            ("Intranet.", true),
            ("*.local", true),
            ("a.local", false),
            ("::1", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(parse(text).unwrap().is_single_label(), is_single, "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let longest = format!("{}a.example", "a.".repeat(122));
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = format!("{}example", "a.".repeat(130));
        for text in [
            "",
            ".",
            "..",
            "*",
            "*.*.example",
            "a.*.example",
            "**.example",
            "a..example",
            "-a.example",
            "a-.example",
            "a_b.example",
            "a b.example",
            "a.example/x",
            "a.example:80",
            "1.2.3",
            "300.1.2.3",
            "a.example\n",
            "https://a.example",
            "[192.0.2.1]",
            "[::1",
            "fe80::1%eth0",
            "a.example..",
            "192.0.2.1.",
            &format!("*.{longest}"),
            // A hundred thousand different letters, which would take minutes to encode.
            &format!("{}.example", ('\u{4e00}'..='\u{9fff}').cycle().take(100_000).collect::<String>()),
            &long_label,
            &long_name,
        ] {
            // A line break at the end is white space, which is dropped.
            let is_wrong = parse(text).is_err() || text.ends_with('\n');
            assert!(is_wrong, "{text:?}");
        }
    }

    #[test]
    fn the_longest_names_are_taken() {
        assert!(parse(&format!("{}.example", "a".repeat(63))).is_ok());
        let longest = format!("{}a.example", "a.".repeat(122));
        assert_eq!(longest.len(), 253);
        assert!(parse(&longest).is_ok());
    }

    /// Compares every letter of the scripts, alone, doubled, and between others, with a full implementation of UTS 46.
    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn international_names_are_those_of_uts_46() {
        let mut taken = 0;
        for c in (0x80..=0x10_ffff).filter_map(char::from_u32) {
            for host in [format!("{c}.example"), format!("a{c}{c}z.example"), format!("\u{fc}{c}.example")] {
                let Some(ours) = to_ascii(&host) else { continue };
                taken += 1;
                assert_eq!(Ok(ours), idna::domain_to_ascii(&host).map_err(|_| ()), "{host} (U+{:x})", u32::from(c));
            }
        }
        assert!(taken > 90_000, "{taken}");
    }
}
