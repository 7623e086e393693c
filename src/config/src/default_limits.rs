//! Default rate limits of a CA.

use std::net::IpAddr;

use acme::origin::Origin;

use protocol::{Limit, Limits};

/// Host of Let's Encrypt's staging environment.
const STAGING: &str = "acme-staging-v02.api.letsencrypt.org";

const HOUR: u64 = 60 * 60;
const WEEK: u64 = 7 * 24 * HOUR;

/// Let's Encrypt's published limits: <https://letsencrypt.org/docs/rate-limits/>.
const LETS_ENCRYPT: Limits = Limits {
    orders: Some(limit(300, 3 * HOUR)),
    certificates: Some(limit(50, WEEK)),
    duplicates: Some(limit(5, WEEK)),
    failures: Some(limit(5, HOUR)),
};

/// Limits of Let's Encrypt's staging environment: <https://letsencrypt.org/docs/staging-environment/>.
const LETS_ENCRYPT_STAGING: Limits = Limits {
    orders: Some(limit(1500, 3 * HOUR)),
    certificates: Some(limit(30_000, WEEK)),
    duplicates: Some(limit(30_000, WEEK)),
    failures: Some(limit(60, HOUR)),
};

/// Suffixes of names that are not on the Internet, so a CA there is a private one: RFC 6761, RFC 6762 (appendix G too),
/// RFC 8375, RFC 9476, ICANN's `internal`, and the names of Kubernetes services.
const NOT_PUBLIC: [&str; 17] = [
    "alt",
    "corp",
    "example",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "private",
    "svc",
    "test",
    "cluster.local",
];

const fn limit(count: u32, seconds: u64) -> Limit {
    Limit { count, window_seconds: seconds }
}

/// The default limits of a CA: for any public CA those of Let's Encrypt, which are the strictest of the well-known ones;
/// for its staging environment those of staging; none for a private CA, whose host is an IP address, has one label, or is
/// under a suffix that nobody can register.
pub fn default_limits(directory: &str) -> Limits {
    match Origin::of(directory) {
        Some(origin) if origin.host() == STAGING => LETS_ENCRYPT_STAGING,
        Some(origin) if is_private(origin.host()) => Limits::default(),
        Some(_) | None => LETS_ENCRYPT,
    }
}

/// True if a host is not on the Internet: an IP address, a single label, or under a suffix that nobody can register.
pub fn is_private(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let is_under = |parent: &&str| host.strip_suffix(*parent).is_some_and(|below| below.ends_with('.'));
    host.parse::<IpAddr>().is_ok() || !host.contains('.') || NOT_PUBLIC.iter().any(is_under)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_public_ca_has_the_limits_of_lets_encrypt_and_a_private_one_has_none() {
        let limits = |host: &str| default_limits(&format!("https://{host}/directory"));
        assert_eq!(limits("acme-v02.api.letsencrypt.org"), LETS_ENCRYPT);
        assert_eq!(limits("acme-staging-v02.api.letsencrypt.org"), LETS_ENCRYPT_STAGING);
        for public in ["acme.zerossl.com", "ca.example.com:14000", "localhost.com", "internal.example.org"] {
            assert_eq!(limits(public), LETS_ENCRYPT, "{public}");
        }
        for private in [
            "localhost:14000",
            "pebble",
            "192.0.2.1",
            "[2001:db8::1]:14000",
            "ca.internal",
            "step-ca.pki.svc",
            "ca.pki.svc.cluster.local",
            "CA.Home.Arpa",
            "ca.test",
            "ca.local",
            "ca.example",
        ] {
            assert_eq!(limits(private), Limits::default(), "{private}");
        }
    }
}
