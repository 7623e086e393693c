//! `httpChallenge`, `tlsChallenge`, `dnsChallenge`: how the names are proved.

use std::time::Duration;

use super::super::mistake::Mistake;
use super::super::node::{Node, Table};
use super::super::{DnsChallenge, HttpChallenge, TlsChallenge, duration};
use super::dns;

/// The longest wait before the CA is told: an authorization ends after an hour at some CAs.
const MOST_DELAY: Duration = Duration::from_secs(60 * 60);

const ENTRY_POINT: &str = "the name of the entry point that the CA reaches on port 80";

/// The challenges that a resolver has.
pub(super) struct Challenges {
    pub(super) http: Option<HttpChallenge>,
    pub(super) tls: Option<TlsChallenge>,
    pub(super) dns: Option<DnsChallenge>,
}

/// Reads all of them. One is needed, and this version solves HTTP-01.
pub(super) fn read(acme: &mut Table<'_>, warnings: &mut Vec<String>, mistakes: &mut Vec<Mistake>) -> Challenges {
    let http_node = acme.take("httpChallenge");
    let has_http = http_node.is_some();
    let http = http_node.and_then(|node| http(&node, mistakes));
    let tls_node = acme.take("tlsChallenge");
    let dns_node = acme.take("dnsChallenge");
    for node in tls_node.iter().chain(&dns_node).filter(|_| has_http) {
        warnings.push(format!("{}: not solved by this version, which proves names by HTTP-01", node.path()));
    }
    if !has_http {
        mistakes.push(acme.missing("httpChallenge.entryPoint", ENTRY_POINT));
    }
    let tls = tls_node.and_then(|node| tls(&node, mistakes));
    let dns = dns_node.and_then(|node| dns::read(&node, warnings, mistakes));
    Challenges { http, tls, dns }
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

/// A wait, none when it is unset, zero or negative.
pub(super) fn delay(table: &mut Table<'_>, key: &'static str, mistakes: &mut Vec<Mistake>) -> Duration {
    let delay = table.take(key).and_then(|node| duration::read_delay(&node, MOST_DELAY, mistakes));
    delay.unwrap_or_default()
}
