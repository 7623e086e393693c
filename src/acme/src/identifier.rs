//! Identifiers (RFC 8555 §9.7.7, RFC 8738): DNS names and IP addresses, as we order them and as CAs list them.

use std::net::IpAddr;

use serde::Serialize;

/// Subject of a certificate: a DNS name, or an IP address (RFC 8738).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identifier {
    /// A DNS name in lower-case ASCII.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
}

impl Identifier {
    /// An IP address where it is one, else a DNS name: in lower case, without the dot of the root.
    pub fn of(name: &str) -> Self {
        match name.parse() {
            Ok(ip) => Self::Ip(ip),
            Err(_) => Self::Dns(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()),
        }
    }

    /// The name or the address as text.
    pub fn value(&self) -> String {
        match self {
            Self::Dns(name) => name.clone(),
            Self::Ip(ip) => ip.to_string(),
        }
    }

    pub(crate) fn resource(&self) -> IdentifierResource {
        let kind = if matches!(self, Self::Dns(_)) { "dns" } else { "ip" };
        IdentifierResource { kind, value: self.value() }
    }

    /// The name that a CA has to see proved for this one: without the `*.` of a wildcard (RFC 8555 §7.1.4).
    fn host(&self) -> Self {
        match self {
            Self::Dns(name) => Self::Dns(name.strip_prefix("*.").unwrap_or(name).to_owned()),
            Self::Ip(_) => self.clone(),
        }
    }
}

/// An identifier as it is sent (RFC 8555 §7.1.3).
#[derive(Clone, Debug, Serialize)]
pub(crate) struct IdentifierResource {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) value: String,
}

/// Checks that a new order is for the names it was placed for, in whatever order they stand. One that tells no names is for
/// those that it was asked for: what comes of it is checked by its certificate.
pub(crate) fn are_same(asked: &[Identifier], told: &[String]) -> bool {
    let told: Vec<Identifier> = told.iter().map(|name| Identifier::of(name)).collect();
    told.is_empty() || (told.iter().all(|name| asked.contains(name)) && asked.iter().all(|name| told.contains(name)))
}

/// Checks that no name of a known order is another's. Some CAs tell only those that are proved so far, and wildcards
/// without their `*.`.
pub(crate) fn are_ours(asked: &[Identifier], told: &[String]) -> bool {
    let is_ours = |told: &Identifier| asked.iter().any(|asked| asked == told || asked.host() == *told);
    told.iter().all(|name| is_ours(&Identifier::of(name)))
}

/// Name that an authorization is for, of those of its order: the host to be proved, and whether it is for a wildcard. A
/// domain above one of the names may be proved in its stead (RFC 8555 §7.1.3). None when it is another's.
pub(crate) fn proved_by(asked: &[Identifier], told: Option<&str>, is_wildcard: bool) -> Option<(String, bool)> {
    let told = match (told, asked) {
        (Some(told), _) => Identifier::of(told),
        (None, [only]) => only.clone(),
        (None, _) => return None,
    };
    let host = told.host();
    let is = |wanted: &Identifier| asked.contains(wanted);
    let wildcard = Identifier::Dns(format!("*.{}", host.value()));
    if told != host || is_wildcard {
        return is(&wildcard).then(|| (host.value(), true));
    }
    if is(&host) {
        return Some((host.value(), false));
    }
    if is(&wildcard) {
        return Some((host.value(), true));
    }
    // Nobody proves a whole top-level domain.
    let above = Some(format!(".{}", host.value())).filter(|above| above.matches('.').count() > 1)?;
    let is_above = |name: &Identifier| matches!(name, Identifier::Dns(name) if name.ends_with(&above));
    asked.iter().any(is_above).then(|| (host.value(), false))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn names(names: &[&str]) -> Vec<Identifier> {
        names.iter().map(|name| Identifier::of(name)).collect()
    }

    fn told(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn addresses_are_ip_identifiers_in_their_canonical_form() {
        assert_eq!(Identifier::of("2001:DB8:0::1").resource().kind, "ip");
        assert_eq!(Identifier::of("2001:DB8:0::1").value(), "2001:db8::1");
        assert_eq!(Identifier::of("A.example").resource().kind, "dns");
        assert_eq!(Identifier::of("A.example.").value(), "a.example");
    }

    #[test]
    fn the_order_of_names_does_not_matter_but_the_set_does() {
        let asked = names(&["a.example", "b.example"]);
        for same in [&["B.example", "a.example."][..], &[]] {
            assert!(are_same(&asked, &told(same)), "{same:?}");
        }
        for other in [&["a.example"][..], &["a.example", "c.example"], &["a.example", "b.example", "c.example"]] {
            assert!(!are_same(&asked, &told(other)), "{other:?}");
        }
    }

    #[test]
    fn a_known_order_may_tell_less_but_nothing_else() {
        let asked = names(&["a.example", "*.b.example"]);
        assert!(are_ours(&asked, &told(&["b.example"])));
        assert!(are_ours(&asked, &[]));
        assert!(!are_ours(&asked, &told(&["a.example", "c.example"])));
    }

    #[test]
    fn an_authorization_is_for_a_name_of_the_order_or_a_domain_above_it() {
        let asked = names(&["a.example", "*.b.example", "www.c.example"]);
        let proved = |told: &str, is_wildcard| proved_by(&asked, Some(told), is_wildcard);
        let is = |host: &str, is_wildcard: bool| Some((host.to_owned(), is_wildcard));
        assert_eq!(proved("A.example.", false), is("a.example", false));
        for (told, is_wildcard) in
            [("b.example", true), ("*.b.example", true), ("*.b.example", false), ("b.example", false)]
        {
            assert_eq!(proved(told, is_wildcard), is("b.example", true), "{told}");
        }
        assert_eq!(proved("c.example", false), is("c.example", false));
        for (other, is_wildcard) in
            [("evil.example", false), ("example", false), ("a.example", true), ("x.a.example", false), ("", false)]
        {
            assert_eq!(proved(other, is_wildcard), None, "{other}");
        }
    }

    #[test]
    fn an_authorization_without_a_name_is_for_the_only_one_there_is() {
        assert_eq!(proved_by(&names(&["*.a.example"]), None, false), Some(("a.example".into(), true)));
        assert_eq!(proved_by(&names(&["a.example", "b.example"]), None, false), None);
    }
}
