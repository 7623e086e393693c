//! `httpChallenge`, `tlsChallenge`, `dnsChallenge`, and our own `dnsPersistChallenge`: the challenges of a resolver.

use super::super::mistake::Mistake;
use super::super::node::{Node, Table};
use super::super::{DnsChallenge, DnsPersistChallenge, HttpChallenge, TlsChallenge};
use super::delay::delay;
use super::dns;

const ENTRY_POINT: &str = "the name of the entry point that the CA reaches on port 80";

/// The challenges that a resolver has.
pub(super) struct Challenges {
    pub(super) http: Option<HttpChallenge>,
    pub(super) tls: Option<TlsChallenge>,
    pub(super) dns: Option<DnsChallenge>,
    pub(super) dns_persist: Option<DnsPersistChallenge>,
}

/// Reads all of them; at least one is required.
pub(super) fn read(acme: &mut Table<'_>, warnings: &mut Vec<String>, mistakes: &mut Vec<Mistake>) -> Challenges {
    let before = mistakes.len();
    let http = acme.take("httpChallenge").and_then(|node| http(&node, mistakes));
    let tls = acme.take("tlsChallenge").and_then(|node| tls(&node, mistakes));
    let dns = acme.take("dnsChallenge").and_then(|node| dns::read(&node, warnings, mistakes));
    let dns_persist = acme.take("dnsPersistChallenge").and_then(|node| dns::read_persist(&node, mistakes));
    let has_none = http.is_none() && tls.is_none() && dns.is_none() && dns_persist.is_none();
    if has_none && mistakes.len() == before {
        let expected = "one of httpChallenge.entryPoint, tlsChallenge and dnsChallenge.provider: how names are proved";
        mistakes.push(acme.missing("httpChallenge", expected));
    }
    Challenges { http, tls, dns, dns_persist }
}

fn http(node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> Option<HttpChallenge> {
    let mut table = node.table(mistakes)?;
    let entry_point = match table.take("entryPoint") {
        Some(node) => node.text(ENTRY_POINT, mistakes),
        None => {
            mistakes.push(table.missing("entryPoint", ENTRY_POINT));
            None
        }
    };
    let delay = delay(&mut table, "delay", mistakes);
    table.finish(mistakes);
    Some(HttpChallenge { entry_point: entry_point?, delay })
}

/// `{}`, or `true` as on a command line.
fn tls(node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> Option<TlsChallenge> {
    if let Some(is_on) = node.value().as_bool() {
        return is_on.then(TlsChallenge::default);
    }
    let mut table = node.table(mistakes)?;
    let delay = delay(&mut table, "delay", mistakes);
    table.finish(mistakes);
    Some(TlsChallenge { delay })
}
