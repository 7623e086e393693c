//! Checks the limits for strangers: a bootstrap whose listeners they can reach has a limit of connections, and timeouts
//! for whatever they begin and never end.

use std::net::IpAddr;

use yaml::At;

use super::document::Document;
use super::gather::{Chain, Envoy, Listener};
use super::kind::{DocumentKind, kind};
use super::{Finding, Report};
use crate::envoy::limits::MONITOR;

/// The runtime key of the limit, from before there was a resource monitor for it.
const RUNTIME: &str = "overload.global_downstream_max_connections";

/// Reports one finding for each kind of missing limit: the rest is alike.
pub(super) fn check(documents: &[Document], envoy: &Envoy<'_>, report: &mut Report) {
    let Some(bootstrap) = documents.iter().map(Document::top).find(|top| kind(top) == DocumentKind::Bootstrap) else {
        return;
    };
    let public = || envoy.listeners.iter().filter(|listener| is_public(listener));
    if public().next().is_none() {
        return;
    }
    if !has_limit(&bootstrap) {
        let at = bootstrap.get("overload_manager").unwrap_or_else(|| bootstrap.clone());
        let expected = format!(
            "overload_manager with {MONITOR}: one client can take all files that Envoy may have open, and keep visitors, \
             the CA and the administrator out"
        );
        report.warning(Finding::at(&at, "no limit of connections", expected));
    }
    if let Some((at, what, expected)) = public().find_map(endless) {
        report.warning(Finding::at(&at, format!("no end for {what}"), expected));
    }
}

/// True if a bootstrap limits the connections of clients.
pub(crate) fn has_limit(bootstrap: &At<'_>) -> bool {
    let by_monitor = |monitor: &At<'_>| monitor.text_of("name") == Some(MONITOR);
    let by_runtime = |layer: &At<'_>| {
        let layer = layer.get("static_layer");
        layer.is_some_and(|layer| layer.get(RUNTIME).is_some() || layer.find(RUNTIME).is_some())
    };
    bootstrap.list("overload_manager.resource_monitors").iter().any(by_monitor)
        || bootstrap.list("layered_runtime.layers").iter().any(by_runtime)
}

fn is_public(listener: &Listener<'_>) -> bool {
    let address =
        listener.at.find("address.socket_address").and_then(|address| address.text_of("address").map(str::to_owned));
    address.is_some_and(|address| !address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()))
}

/// The first part of a listener without a timeout: its node, the message, and the remedy.
fn endless<'a>(listener: &Listener<'a>) -> Option<(At<'a>, &'static str, &'static str)> {
    listener.chains.iter().find_map(endless_chain)
}

fn endless_chain<'a>(chain: &Chain<'a>) -> Option<(At<'a>, &'static str, &'static str)> {
    if chain.tls.is_some() && chain.at.get("transport_socket_connect_timeout").is_none() {
        return Some((
            chain.at.clone(),
            "a TLS handshake",
            "`transport_socket_connect_timeout: 10s` in the filter chain",
        ));
    }
    let configs = chain.at.list("filters");
    let managers = configs.iter().filter_map(|filter| filter.get("typed_config"));
    let manager = managers
        .filter(|config| config.text_of("@type").is_some_and(|kind| kind.ends_with(".HttpConnectionManager")))
        .find(|config| ["request_timeout", "request_headers_timeout"].iter().any(|key| config.get(key).is_none()))?;
    Some((
        manager,
        "the head and the body of a request",
        "`request_headers_timeout: 10s` and `request_timeout: 60s`, or what uploads may take",
    ))
}
