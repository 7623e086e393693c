//! Decides which addresses a CA's URL may lead to.
//!
//! The URL of a revocation list is in the certificate. A broken or hostile CA must not make the sidecar probe internal
//! hosts. So only public addresses are connected to, and names are resolved here: the address checked is the address
//! used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Resolves names to public addresses only.
pub(super) struct Public;

impl Resolve for Public {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                let name = name.as_str();
                return Err(format!("{name} has no public address; --crl-allow-private allows others").into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// True if an address is public (RFC 6890 and IANA's registries of special-purpose addresses).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        // Carrier-grade NAT, protocol assignments, benchmarks.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        // The 6to4 relay anycast prefix (RFC 7526): whoever runs the nearest relay answers.
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let [first, second, third, ..] = address.segments();
    // NAT64 (RFC 6052 §2.1) and 6to4 (RFC 3056 §2) embed an IPv4 address. NAT64's local-use prefix, 64:ff9b:1::/48 (RFC
    // 8215), is refused below: only the translator knows where in it the IPv4 address is.
    if let [0x0064, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() {
        return is_public_v4(embedded(high, low));
    }
    if first == 0x2002 {
        return is_public_v4(embedded(second, third));
    }
    let is_documentation = (first == 0x2001 && second == 0x0db8) || (first == 0x3fff && second < 0x1000);
    let is_protocol = first == 0x2001 && second < 0x0200;
    first & 0xe000 == 0x2000 && !is_documentation && !is_protocol
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        let is_public = |text: &str| text.parse().is_ok_and(is_public);
        for public in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::1.1.1.1", "2002:101:101::1"]
        {
            assert!(is_public(public), "{public}");
        }
        for inner in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.1.1",
            "172.16.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "255.255.255.255",
            "100.64.0.1",
            "224.0.0.1",
            "198.18.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "2002:a00:1::1",
            "2001:db8::1",
            "3fff::1",
            "::7f00:1",
            // Other ways to embed IPv4 in IPv6, or to leave the public Internet with it.
            "::ffff:0:1.1.1.1",
            "2001::101:101",
            "2001:20::1",
            "fec0::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(!is_public(inner), "{inner}");
        }
    }

    /// RFC 6052 §2.2 lets a prefix be 32 to 96 bits long; a translator takes 10.0.0.1 from each of these.
    #[test]
    fn nat64_for_local_use_is_not_public_wherever_it_holds_the_address() {
        let is_public = |text: &str| text.parse().is_ok_and(is_public);
        for inner in [
            "64:ff9b:1:a00:0:100:101:101",
            "64:ff9b:1:a:0:1:101:101",
            "64:ff9b:1::a:0:101:101",
            "64:ff9b:1::1.1.1.1",
            "64:ff9b:1:ffff:ffff:ffff:101:101",
            "64:ff9b:0:1::1.1.1.1",
            "64:ff9b:a00:1::1.1.1.1",
        ] {
            assert!(!is_public(inner), "{inner}");
        }
    }
}
