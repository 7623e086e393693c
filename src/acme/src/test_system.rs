//! Staging environments of CAs: their certificates are not trusted, and mistakes there cost nothing.
//!
//! A stored certificate is recognized by the directory where it was ordered: the resolver's `stagingServer`, or that of
//! a public CA's staging environment. Without a stored directory, as after an import, the issuer's name decides. Any
//! other CA may be a private one, and never counts as a staging environment.

use crate::origin::Origin;

/// The hosts of public CAs' staging directories.
const HOSTS: [&str; 5] = [
    "acme-staging-v02.api.letsencrypt.org",
    "acme-staging-v01.api.letsencrypt.org",
    "acme-staging.api.letsencrypt.org",
    "api.test4.buypass.no",
    "dv.acme-v02.test-api.pki.goog",
];

/// Public CAs by the host of their directory, each with its staging directory.
const OF_CAS: [(&str, &str); 3] = [
    ("acme-v02.api.letsencrypt.org", "https://acme-staging-v02.api.letsencrypt.org/directory"),
    ("api.buypass.com", "https://api.test4.buypass.no/acme/directory"),
    ("dv.acme-v02.api.pki.goog", "https://dv.acme-v02.test-api.pki.goog/directory"),
];

/// Marks in the names of staging issuers: Let's Encrypt's current and former ones, and Buypass's.
const MARKS: [&str; 3] = ["(STAGING)", "Fake LE ", "Buypass Class 2 Test4"];

/// True if this URL is a public CA's staging directory.
pub fn is_directory(url: &str) -> bool {
    Origin::of(url).is_some_and(|origin| HOSTS.contains(&origin.host()))
}

/// The staging directory of the CA with this directory (Let's Encrypt's for `None`), or the directory itself if it is a
/// staging one already. `None` for a CA whose staging environment is not known.
pub fn of(ca_server: Option<&str>) -> Option<&str> {
    let [(_, lets_encrypts), ..] = OF_CAS;
    let Some(url) = ca_server else { return Some(lets_encrypts) };
    if is_directory(url) {
        return Some(url);
    }
    let origin = Origin::of(url)?;
    OF_CAS.iter().find(|(host, _)| *host == origin.host()).map(|(_, test_system)| *test_system)
}

/// True if an issuer's name is that of a staging environment.
pub fn is_issuer(name: &str) -> bool {
    MARKS.iter().any(|mark| name.contains(mark))
}

/// True if a certificate that was ordered at `made_at` (`None`: unknown) from this issuer is a staging one, for a
/// resolver with this CA and this staging server.
pub fn made(made_at: Option<&str>, issuer: &str, ca_server: &str, staging_server: Option<&str>) -> bool {
    // A user who has chosen a staging CA gets its certificates.
    if made_at == Some(ca_server) || is_directory(ca_server) {
        return false;
    }
    match made_at {
        Some(made_at) => is_directory(made_at) || Some(made_at) == staging_server,
        None => is_issuer(issuer),
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const REAL: &str = "https://acme-v02.api.letsencrypt.org/directory";
    const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";
    const OWN: &str = "https://ca.internal/directory";

    #[test]
    fn a_test_system_is_known_by_its_directory_and_else_by_its_issuers_name() {
        for issuer in ["(STAGING) Riddling Rhubarb R12", "O=(STAGING) Let's Encrypt", "Fake LE Intermediate X1"] {
            assert!(is_issuer(issuer) && made(None, issuer, REAL, None), "{issuer}");
        }
        for issuer in ["R12", "Staging Area CA", "Pebble Intermediate CA 1a2b3c", ""] {
            assert!(!is_issuer(issuer) && !made(None, issuer, REAL, None), "{issuer}");
        }
        assert!(is_directory(STAGING) && is_directory("https://dv.acme-v02.test-api.pki.goog/directory"));
        assert!(!is_directory(REAL) && !is_directory(OWN) && !is_directory("acme-staging-v02.api.letsencrypt.org"));
        assert!(made(Some(STAGING), "R12", REAL, None) && made(Some(OWN), "R12", REAL, Some(OWN)));
    }

    #[test]
    fn a_cas_test_system_is_known_or_there_is_none() {
        for ca_server in [None, Some(REAL), Some(STAGING)] {
            assert_eq!(of(ca_server), Some(STAGING));
        }
        assert!(OF_CAS.iter().all(|(_, test_system)| is_directory(test_system)));
        assert_eq!((of(Some(OWN)), of(Some("letsencrypt"))), (None, None));
    }

    #[test]
    fn what_is_of_the_resolvers_own_ca_or_of_any_other_stays() {
        assert!(!made(Some(OWN), "(STAGING) Our CA", OWN, None));
        assert!(!made(Some(OWN), "(STAGING) Our CA", REAL, None));
        assert!(!made(None, "(STAGING) R12", STAGING, None));
        assert!(!made(Some(STAGING), "(STAGING) R12", STAGING, Some(OWN)));
    }
}
