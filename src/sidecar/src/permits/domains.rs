//! Registered domains, by the public suffix list (<https://publicsuffix.org>), as Let's Encrypt counts them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

/// The bits of an IPv6 address that are one registered domain (<https://letsencrypt.org/docs/rate-limits/>).
const IPV6_PREFIX: u32 = 64;

/// The registered domains of a certificate's names, each once.
pub(super) fn registered(names: &[String]) -> Vec<String> {
    let domains: BTreeSet<String> = names.iter().map(|name| of(name)).collect();
    domains.into_iter().collect()
}

/// The registered domain of a name. A public suffix, or an IPv4 address, is its own.
fn of(name: &str) -> String {
    let name = name.strip_prefix("*.").unwrap_or(name);
    match name.parse() {
        Ok(IpAddr::V6(address)) => {
            let network = Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - IPV6_PREFIX)));
            format!("{network}/{IPV6_PREFIX}")
        }
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => psl::domain_str(name).unwrap_or(name).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registered_domain_is_a_label_below_a_public_suffix() {
        for (name, domain) in [
            ("example.com", "example.com"),
            ("www.example.com", "example.com"),
            ("*.example.com", "example.com"),
            ("new.blog.example.co.uk", "example.co.uk"),
            ("shop.someone.github.io", "someone.github.io"),
            ("github.io", "github.io"),
            ("co.uk", "co.uk"),
            ("xn--bcher-kva.xn--p1ai", "xn--bcher-kva.xn--p1ai"),
            ("a.b.unknown-suffix", "b.unknown-suffix"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(of(name), domain, "{name}");
        }
        let names = ["b.example.com", "a.example.com", "2001:db8::1", "2001:db8::2"].map(str::to_owned);
        assert_eq!(registered(&names), ["2001:db8::/64", "example.com"]);
    }
}
