//! `certificatesResolvers.<name>.acme`: Traefik's options of the ACME resolver, by HTTP-01.

use std::time::Duration;

use acme::origin::Origin;

use super::duration;
use super::mistake::Mistake;
use super::node::{Node, Table};
use super::{KeyType, Resolver};

/// Traefik's default.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
const LETS_ENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// Hosts that Let's Encrypt has left, and where it is now.
const LEFT_HOSTS: [(&str, &str); 3] = [
    ("acme-v01.api.letsencrypt.org", LETS_ENCRYPT),
    ("acme-staging.api.letsencrypt.org", LETS_ENCRYPT_STAGING),
    ("acme-staging-v01.api.letsencrypt.org", LETS_ENCRYPT_STAGING),
];

/// The bounds of the timeouts: a CA needs some time, and an order must not hang for a day.
const LEAST_TIMEOUT: Duration = Duration::from_millis(100);
const MOST_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// Mail addresses have at most 254 characters (RFC 5321 §4.5.3.1.3, without the brackets).
const MAX_EMAIL: usize = 254;

/// What is allowed in an address only in quotes, or would need escapes in the mailto URL that the CA gets (RFC 6068 §2).
const NOT_IN_MAILTO: &[u8] = b",;:<>()[]\\\"?&#%";

/// Keys of Traefik's resolver that this version does not have.
const ELSEWHERE: &[(&str, &str)] = &[
    ("tlsChallenge", "httpChallenge: this version answers HTTP-01 only"),
    ("dnsChallenge", "httpChallenge: this version answers HTTP-01 only"),
    ("certificatesDuration", "no such option in this version: renewal follows the certificates' real lifetime"),
    ("eab", "no external account binding in this version"),
    ("preferredChain", "no choice of chains in this version: the CA's default chain is used"),
    ("profile", "no profile in this version: the CA's default one is used"),
    ("emailAddresses", "no mail addresses in certificates in this version"),
    ("disableCommonName", "no such option in this version"),
    ("certificateTimeout", "no such option in this version: a certificate is waited for 30 seconds, then tried again"),
    ("caCertificates", "the CA's trust in the TLS context of its Envoy cluster"),
    ("caSystemCertPool", "the CA's trust in the TLS context of its Envoy cluster"),
    ("caServerName", "the CA's trust in the TLS context of its Envoy cluster"),
];

/// All resolvers that have no mistake.
pub(super) fn resolvers(node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> Vec<Resolver> {
    let mut resolvers = Vec::new();
    for (name, node) in node.entries(mistakes) {
        if !is_name(&name) {
            mistakes.push(node.mistake_in_key("a name of letters, digits, '-', '_', '.' and '@'"));
        }
        let Some(mut table) = node.table(mistakes) else { continue };
        match table.take("acme") {
            Some(node) => resolvers.extend(resolver(name, &node, mistakes)),
            None => mistakes.push(table.missing("acme", "the resolver's ACME options")),
        }
        table.finish(mistakes);
    }
    resolvers
}

/// Resolver names end up in file names, logs and metrics.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@".contains(&b))
}

fn resolver(name: String, node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> Option<Resolver> {
    let mut acme = node.table(mistakes)?;
    let email = email(&mut acme, mistakes);
    let ca_server = match acme.take("caServer") {
        Some(node) => ca_server(&node, mistakes),
        None => Some(LETS_ENCRYPT.to_owned()),
    };
    let key_type = match acme.take("keyType") {
        Some(node) => node.choice(&KeyType::ALL.map(|key_type| (key_type.as_str(), key_type)), mistakes),
        None => Some(KeyType::Rsa4096),
    };
    let http_entry_point = http_challenge(&mut acme, mistakes);
    let mut timeout = |key, default| match acme.take(key) {
        Some(node) => duration::read(&node, LEAST_TIMEOUT, MOST_TIMEOUT, mistakes),
        None => Some(default),
    };
    let client_timeout = timeout("clientTimeout", Duration::from_secs(120));
    let header_timeout = timeout("clientResponseHeaderTimeout", Duration::from_secs(30));
    if let (Some(whole), Some(header)) = (client_timeout, header_timeout)
        && whole < header
    {
        let node = acme.take("clientTimeout").or_else(|| acme.take("clientResponseHeaderTimeout"));
        let expected = "a clientTimeout that is not shorter than clientResponseHeaderTimeout";
        mistakes.extend(node.map(|node| node.mistake(expected)));
    }
    // The sidecar stores; Traefik's key may stand here, so that its configuration can be pasted.
    if let Some(node) = acme.take("storage") {
        node.text("a path", mistakes);
    }
    acme.finish_with(ELSEWHERE, mistakes);
    Some(Resolver {
        name,
        email: email?,
        ca_server: ca_server?,
        key_type: key_type?,
        http_entry_point: http_entry_point?,
        client_timeout: client_timeout?,
        client_response_header_timeout: header_timeout?,
    })
}

fn email(acme: &mut Table<'_>, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let expected = "a mail address for the CA's notices, as ops@example.com";
    let Some(node) = acme.take("email") else {
        mistakes.push(acme.missing("email", expected));
        return None;
    };
    let email = node.text(expected, mistakes)?;
    let is_plausible = email.len() <= MAX_EMAIL
        && email.bytes().all(|b| b.is_ascii_graphic() && !NOT_IN_MAILTO.contains(&b))
        && matches!(email.split_once('@'), Some((local, host)) if !local.is_empty() && !host.is_empty() && !host.contains('@'));
    if !is_plausible {
        mistakes.push(node.mistake(expected));
    }
    is_plausible.then_some(email)
}

fn ca_server(node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let expected = "the https URL of a CA's directory";
    let url = node.text(expected, mistakes)?;
    let Some(origin) = Origin::of(&url) else {
        let mistake = node.mistake(expected);
        // It may hold a password, which must not get into a log.
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

fn http_challenge(acme: &mut Table<'_>, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let expected = "the name of the entry point that the CA reaches on port 80";
    let Some(node) = acme.take("httpChallenge") else {
        mistakes.push(acme.missing("httpChallenge.entryPoint", expected));
        return None;
    };
    let mut table = node.table(mistakes)?;
    let entry_point = match table.take("entryPoint") {
        Some(node) => node.text(expected, mistakes),
        None => {
            mistakes.push(table.missing("entryPoint", expected));
            None
        }
    };
    table.finish_with(&[("delay", "no such option in this version: the CA may ask at once")], mistakes);
    entry_point
}
