//! `dnsChallenge`, with the names that Traefik has deprecated, and `dnsPersistChallenge`.

use std::time::Duration;

use super::super::mistake::Mistake;
use super::super::node::{Node, Table};
use super::super::{DnsChallenge, DnsPersistChallenge, Propagation};
use super::delay::delay;

/// Default port of a recursive server.
const DNS_PORT: &str = "53";

/// Maximum number of recursive servers: each of them is asked in every check.
const MAX_RESOLVERS: usize = 16;

pub(super) fn read(node: &Node<'_>, warnings: &mut Vec<String>, mistakes: &mut Vec<Mistake>) -> Option<DnsChallenge> {
    let mut table = node.table(mistakes)?;
    let provider = provider(&mut table, mistakes);
    let resolvers = table.take("resolvers").map(|node| resolvers(&node, mistakes)).unwrap_or_default();
    let mut propagation = match table.take("propagation") {
        Some(node) => propagation(&node, mistakes),
        None => Propagation::default(),
    };
    if let Some(node) = table.take("delayBeforeCheck") {
        warnings.push(format!("{}: deprecated; write propagation.delayBeforeChecks", node.path()));
        let old = delay(&mut table, "delayBeforeCheck", mistakes);
        if propagation.delay_before_checks == Duration::ZERO {
            propagation.delay_before_checks = old;
        }
    }
    if let Some(node) = table.take("disablePropagationCheck") {
        warnings.push(format!("{}: deprecated; write propagation.disableChecks", node.path()));
        propagation.disable_checks |= node.flag(mistakes).unwrap_or_default();
    }
    table.finish(mistakes);
    Some(DnsChallenge { provider: provider?, resolvers, propagation })
}

/// `{}`, or `true` as on a command line.
pub(super) fn read_persist(node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> Option<DnsPersistChallenge> {
    if let Some(is_on) = node.value().as_bool() {
        return is_on.then(DnsPersistChallenge::default);
    }
    let mut table = node.table(mistakes)?;
    let resolvers = table.take("resolvers").map(|node| resolvers(&node, mistakes)).unwrap_or_default();
    table.finish(mistakes);
    Some(DnsPersistChallenge { resolvers })
}

fn provider(table: &mut Table<'_>, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let expected = "the code of a DNS provider, as cloudflare or rfc2136";
    let Some(node) = table.take("provider") else {
        mistakes.push(table.missing("provider", expected));
        return None;
    };
    let code = node.text(expected, mistakes)?;
    let is_code = code.len() <= 64 && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !is_code {
        mistakes.push(node.mistake(expected));
    }
    is_code.then_some(code)
}

fn propagation(node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> Propagation {
    let Some(mut table) = node.table(mistakes) else { return Propagation::default() };
    let delay_before_checks = delay(&mut table, "delayBeforeChecks", mistakes);
    let mut flag = |key| table.take(key).and_then(|node| node.flag(mistakes)).unwrap_or_default();
    let (disable_checks, require_all_rns) = (flag("disableChecks"), flag("requireAllRNS"));
    let disable_ans_checks = flag("disableANSChecks");
    table.finish(mistakes);
    Propagation { delay_before_checks, disable_checks, require_all_rns, disable_ans_checks }
}

/// Reads servers as `host` or `host:port`; the result always has a port.
fn resolvers(node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> Vec<String> {
    let expected = "a DNS server, as 1.1.1.1:53 or [2606:4700::1111]:53";
    let items = node.items("a list of DNS servers", mistakes);
    if items.len() > MAX_RESOLVERS {
        mistakes.push(node.mistake(&format!("at most {MAX_RESOLVERS} DNS servers")));
    }
    let mut servers = Vec::new();
    for node in items {
        let Some(text) = node.text(expected, mistakes) else { continue };
        match server(&text) {
            Some(server) => servers.push(server),
            None => mistakes.push(node.mistake(expected)),
        }
    }
    servers
}

fn server(text: &str) -> Option<String> {
    // An IPv6 address without brackets has colons of its own.
    if let Ok(address) = text.parse::<std::net::Ipv6Addr>() {
        return Some(format!("[{address}]:{DNS_PORT}"));
    }
    let authority: http::uri::Authority = text.parse().ok()?;
    let host = authority.host();
    let has_port = text.len() > host.len();
    let port = if has_port { authority.port_u16()?.to_string() } else { DNS_PORT.to_owned() };
    (!host.is_empty() && !text.contains('@')).then(|| format!("{host}:{port}"))
}
