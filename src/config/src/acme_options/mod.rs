//! `certificatesResolvers.<name>.acme`: all options of Traefik's ACME resolver, and a few of ours.

mod account;
mod ca;
mod challenges;
mod delay;
mod dns;
mod fallback;
mod limits;

use std::time::Duration;

use super::mistake::Mistake;
use super::node::{Node, Table};
use super::{Resolver, duration};
use protocol::KeyType;

/// Bounds of the timeouts: a CA needs some time, and an order must not hang for a day.
const LEAST_TIMEOUT: Duration = Duration::from_millis(100);
const MOST_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// Maximum of `certificatesDuration`, in hours: no CA issues for more than a century.
const MOST_HOURS: u64 = 100 * 366 * 24;

/// All resolvers that have no mistake.
pub(super) fn resolvers(node: &Node<'_>, warnings: &mut Vec<String>, mistakes: &mut Vec<Mistake>) -> Vec<Resolver> {
    let mut resolvers = Vec::new();
    let names = node.keys();
    for (name, node) in node.entries(mistakes) {
        if !is_name(&name) {
            mistakes.push(node.mistake_in_key("a name of letters, digits, '-', '_', '.' and '@'"));
        }
        let Some(mut table) = node.table(mistakes) else { continue };
        match table.take("acme") {
            Some(node) => resolvers.extend(resolver(name, &names, &node, warnings, mistakes)),
            None => mistakes.push(table.missing("acme", "the resolver's ACME options")),
        }
        table.finish(mistakes);
    }
    resolvers
}

/// True for a valid resolver name: it ends up in file names, logs and metrics.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@".contains(&b))
}

fn resolver(
    name: String,
    names: &[String],
    node: &Node<'_>,
    warnings: &mut Vec<String>,
    mistakes: &mut Vec<Mistake>,
) -> Option<Resolver> {
    let mut acme = node.table(mistakes)?;
    let email = account::email(&mut acme, mistakes);
    let eab = account::eab(&mut acme, &name, mistakes);
    let ca_server = ca::server(&mut acme, mistakes);
    let ca_trust = ca::trust(&mut acme, mistakes);
    let key_type = match acme.take("keyType") {
        Some(node) => node.choice(&KeyType::ALL.map(|key_type| (key_type.as_str(), key_type)), mistakes),
        None => Some(KeyType::Rsa4096),
    };
    let challenges = challenges::read(&mut acme, warnings, mistakes);
    let timeouts = timeouts(&mut acme, mistakes);
    let mut text = |key, expected| acme.take(key).and_then(|node| node.text(expected, mistakes));
    let preferred_chain = text("preferredChain", "the common name of a chain's issuer");
    let profile = text("profile", "the name of one of the CA's profiles");
    let storage = text("storage", "a path");
    let email_addresses = acme.take("emailAddresses").map(|node| account::addresses(&node, mistakes));
    let disable_common_name = acme.take("disableCommonName").and_then(|node| node.flag(mistakes));
    let hours = acme.take("certificatesDuration").and_then(|node| node.whole(1, MOST_HOURS, mistakes));
    let staging_server = ca::staging_server(&mut acme, ca_server.as_deref(), mistakes);
    let limits = limits::read(&mut acme, ca_server.as_deref(), mistakes);
    let fallback = fallback::read(&mut acme, &name, names, mistakes);
    acme.finish(mistakes);
    let [client_timeout, client_response_header_timeout, certificate_timeout] = timeouts?;
    Some(Resolver {
        name,
        email: email?,
        ca_server: ca_server?,
        key_type: key_type?,
        eab,
        preferred_chain,
        profile,
        email_addresses: email_addresses.unwrap_or_default(),
        disable_common_name: disable_common_name.unwrap_or_default(),
        certificates_duration: hours.map(|hours| Duration::from_secs(hours.saturating_mul(3600))),
        client_timeout,
        client_response_header_timeout,
        certificate_timeout,
        storage,
        ca_trust,
        http_challenge: challenges.http,
        tls_challenge: challenges.tls,
        dns_challenge: challenges.dns,
        dns_persist_challenge: challenges.dns_persist,
        fallback,
        limits,
        staging_server,
    })
}

/// `clientTimeout`, `clientResponseHeaderTimeout`, `certificateTimeout`.
fn timeouts(acme: &mut Table<'_>, mistakes: &mut Vec<Mistake>) -> Option<[Duration; 3]> {
    let mut timeout = |key, default| match acme.take(key) {
        Some(node) => duration::read(&node, LEAST_TIMEOUT, MOST_TIMEOUT, mistakes),
        None => Some(Duration::from_secs(default)),
    };
    let whole = timeout("clientTimeout", 120);
    let header = timeout("clientResponseHeaderTimeout", 30);
    let certificate = timeout("certificateTimeout", 30);
    if let (Some(whole), Some(header)) = (whole, header)
        && whole < header
    {
        let node = acme.take("clientTimeout").or_else(|| acme.take("clientResponseHeaderTimeout"));
        let expected = "a clientTimeout that is not shorter than clientResponseHeaderTimeout";
        mistakes.extend(node.map(|node| node.mistake(expected)));
    }
    Some([whole?, header?, certificate?])
}
