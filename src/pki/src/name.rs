//! Names as look-up keys.
//!
//! A client's name comes straight out of a ClientHello (`A.Example.COM.`, `../../etc/x`), so it is normalised here. No
//! later code has to think about case, dots or the spelling of addresses.

use std::net::IpAddr;
use std::sync::Arc;

/// The longest name, without a trailing dot (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;
/// The longest label (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// A DNS name in lower-case ASCII without a trailing dot, possibly with `*` as its first label, or an IP address in
/// its usual spelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

impl Name {
    /// Parses a name of a client or a certificate. `None` when it is neither a DNS name nor an address.
    pub fn parse(given: &str) -> Option<Self> {
        // The longest honest name is in Unicode, at most four bytes for each of its characters.
        if given.len() > 4 * MAX_NAME {
            return None;
        }
        let given = given.strip_suffix('.').unwrap_or(given);
        let bare = given.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(given);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(Self(address.to_string().into()));
        }
        let name = if given.is_ascii() { given.to_ascii_lowercase() } else { idna::domain_to_ascii(given).ok()? };
        let plain = name.strip_prefix("*.").unwrap_or(&name);
        let well_formed = !plain.is_empty() && name.len() <= MAX_NAME && plain.split('.').all(is_label);
        well_formed.then(|| Self(name.into()))
    }

    /// The name of the wildcard that covers this one: `*.example.com` for `a.example.com`. Addresses, wildcards and
    /// single labels have none.
    pub fn wildcard(&self) -> Option<Self> {
        let (first, parent) = self.0.split_once('.')?;
        let coverable = first != "*" && self.0.parse::<IpAddr>().is_err();
        coverable.then(|| Self(format!("*.{parent}").into()))
    }

    /// True if the first label is `*`.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// True if this is the wildcard that covers `name`. Cheaper than `name.wildcard() == Some(self)`.
    pub fn covers(&self, name: &Self) -> bool {
        let parent = self.0.strip_prefix("*.");
        let same = name.0.split_once('.').is_some_and(|(first, rest)| first != "*" && Some(rest) == parent);
        same && name.0.parse::<IpAddr>().is_err()
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// True for a valid label. Underscores are no part of host names, but certificates have been issued for names with
/// them.
fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(given: &str) -> Option<String> {
        Name::parse(given).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn a_raw_sni_is_cleaned() {
        assert_eq!(parsed("A.Example.COM."), Some("a.example.com".into()));
        assert_eq!(parsed("_x.example.com"), Some("_x.example.com".into()));
        assert_eq!(parsed("default"), Some("default".into()));
    }

    #[test]
    fn unicode_becomes_its_ascii_form() {
        assert_eq!(parsed("Bücher.example"), Some("xn--bcher-kva.example".into()));
    }

    #[test]
    fn addresses_have_one_spelling() {
        assert_eq!(parsed("192.0.2.7"), Some("192.0.2.7".into()));
        assert_eq!(parsed("[2001:DB8:0:0::1]"), Some("2001:db8::1".into()));
        assert_eq!(Name::parse("192.0.2.7").and_then(|name| name.wildcard()), None);
    }

    #[test]
    fn junk_is_no_name() {
        for junk in ["", ".", "..", "a..b", "../../etc/x", "a b", "*", "a.*.b", "*.*.b", "a\0b", "-é\u{202e}/.x"] {
            assert_eq!(parsed(junk), None, "{junk:?}");
        }
        assert_eq!(parsed(&"a".repeat(64)), None);
        assert_eq!(parsed(&"a.".repeat(127)), Some("a.".repeat(127).trim_end_matches('.').into()));
        assert_eq!(parsed(&"a.".repeat(128)), None);
        assert_eq!(parsed(&"é".repeat(1_000_000)), None);
    }

    #[test]
    fn a_wildcard_covers_one_label() {
        let wildcard = |given: &str| Name::parse(given).and_then(|name| name.wildcard());
        assert_eq!(wildcard("a.example.com"), Name::parse("*.example.com"));
        assert_eq!(wildcard("b.a.example.com"), Name::parse("*.a.example.com"));
        assert_eq!(wildcard("*.example.com"), None);
        assert_eq!(wildcard("localhost"), None);
    }

    #[test]
    fn to_cover_is_to_be_the_wildcard_of() {
        let names = ["a.test", "b.a.test", "*.test", "*.a.test", "test", "192.0.2.1", "*.0.2.1", "2001:db8::1"];
        let names: Vec<Name> = names.iter().filter_map(|name| Name::parse(name)).collect();
        for (one, other) in names.iter().flat_map(|one| names.iter().map(move |other| (one, other))) {
            assert_eq!(one.covers(other), other.wildcard().as_ref() == Some(one), "{one:?} {other:?}");
        }
    }
}
