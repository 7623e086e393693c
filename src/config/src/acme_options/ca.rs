//! `caServer`, `stagingServer`, `caCertificates`, `caSystemCertPool`, `caServerName`: the CA, and the verification of
//! its server.

use acme::origin::Origin;

use super::super::CaTrust;
use super::super::mistake::Mistake;
use super::super::node::{Node, Table};

/// Traefik's default.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
const LETS_ENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// The explicit choice of no staging environment.
const NONE: &str = "none";

/// Hosts that Let's Encrypt has left, and their successors.
const LEFT_HOSTS: [(&str, &str); 3] = [
    ("acme-v01.api.letsencrypt.org", LETS_ENCRYPT),
    ("acme-staging.api.letsencrypt.org", LETS_ENCRYPT_STAGING),
    ("acme-staging-v01.api.letsencrypt.org", LETS_ENCRYPT_STAGING),
];

pub(super) fn server(acme: &mut Table<'_>, mistakes: &mut Vec<Mistake>) -> Option<String> {
    match acme.take("caServer") {
        Some(node) => directory(&node, "the https URL of a CA's directory", mistakes),
        None => Some(LETS_ENCRYPT.to_owned()),
    }
}

/// The staging environment, where a certificate that keeps failing is tried first; Let's Encrypt's is known. It must
/// not be the issuing CA.
pub(super) fn staging_server(
    acme: &mut Table<'_>,
    ca_server: Option<&str>,
    mistakes: &mut Vec<Mistake>,
) -> Option<String> {
    let of = |url: &str| Origin::of(url);
    let Some(node) = acme.take("stagingServer") else {
        let is_lets_encrypt = ca_server.and_then(of) == of(LETS_ENCRYPT);
        return is_lets_encrypt.then(|| LETS_ENCRYPT_STAGING.to_owned());
    };
    if node.value().as_str().is_some_and(|text| text.trim() == NONE) {
        return None;
    }
    let url = directory(&node, "the https URL of the directory of the CA's test system, or none", mistakes)?;
    if ca_server.and_then(of) == of(&url) {
        let expected = "another CA than caServer, or none";
        mistakes.push(node.mistake(expected));
    }
    Some(url)
}

fn directory(node: &Node<'_>, expected: &str, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let url = node.text(expected, mistakes)?;
    let Some(origin) = Origin::of(&url) else {
        let mistake = node.mistake(expected);
        // The URL may contain a password, which must not get into a log.
        let has_user = url.contains('@');
        let found = if has_user { "a URL with a user name or password".to_owned() } else { mistake.found };
        mistakes.push(Mistake { found, ..mistake });
        return None;
    };
    if let Some((_, now)) = LEFT_HOSTS.iter().find(|(left, _)| *left == origin.host()) {
        let expected = "a directory that still exists";
        mistakes.push(Mistake { nearest: Some((*now).to_owned()), ..node.mistake(expected) });
        return None;
    }
    Some(url)
}

/// Verification of the CA's server.
pub(super) fn trust(acme: &mut Table<'_>, mistakes: &mut Vec<Mistake>) -> CaTrust {
    let certificates = acme.take("caCertificates").map(|node| node.texts("a list of PEM files", mistakes));
    let system_cert_pool = acme.take("caSystemCertPool").and_then(|node| node.flag(mistakes));
    let server_name = acme.take("caServerName").and_then(|node| {
        let expected = "the DNS name in the certificate of the CA's server";
        let name = node.text(expected, mistakes)?;
        if !is_host(&name) {
            mistakes.push(node.mistake(expected));
        }
        Some(name.to_ascii_lowercase())
    });
    CaTrust {
        certificates: certificates.unwrap_or_default(),
        system_cert_pool: system_cert_pool.unwrap_or_default(),
        server_name,
    }
}

/// True for a host's name, also of one label, as a private CA may have.
fn is_host(name: &str) -> bool {
    name.len() <= 253 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:".contains(&b))
}
