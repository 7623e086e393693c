//! An Envoy bootstrap of the user's own as a source of the configuration: its listeners become the entry points, and
//! the names that it serves become certificates.

use std::collections::{BTreeMap, BTreeSet};

use config::shortened;
use serde_json::{Map, Value, json};

use super::layers::{Layer, merged};
use super::mistake::{InputReport, quoted};
use super::quick::{Quick, Reader, service};
use super::resolver_names::resolvers;

/// Placeholder server: the bootstrap does the routing, but a router needs a service.
const UPSTREAM: &str = "127.0.0.1:9";

/// The parts of a bootstrap that say something about the setup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bootstrap {
    /// The bootstrap's file name.
    pub source: String,
    /// The bootstrap's listeners: names and addresses.
    pub entry_points: Vec<(String, String)>,
    /// The names of each certificate, the main one first, separated by commas.
    pub certificates: Vec<String>,
    /// `--resolver`: the certificates resolver, where there are several.
    pub resolver: Option<String>,
    /// The listener for HTTP-01, where no source has a resolver; without one, TLS-ALPN-01 proves the names.
    pub challenged: Option<String>,
    /// `--dns`: the DNS provider, where no source has a resolver.
    pub dns: Option<String>,
}

/// Configuration derived from a bootstrap and the flags, of the lowest rank.
pub(super) fn base(bootstrap: &Bootstrap, quick: Option<&Quick>, layers: &[Layer], report: &mut InputReport) -> Value {
    let quick = Quick { dns: bootstrap.dns.clone(), ..quick.cloned().unwrap_or_default() };
    let mut reader = Reader { quick: &quick, layers, report };
    let Some((resolver, own)) = resolver(bootstrap, &mut reader) else { return json!({}) };
    let routers = reader.routers(&bootstrap.certificates, &resolver, None);
    let mut value = json!({ "certificatesResolvers": own });
    if !routers.is_empty() {
        value["http"] = json!({ "routers": routers, "services": service(UPSTREAM) });
    }
    value
}

/// The bootstrap's listeners as entry points, except those that another source has by another name.
pub(super) fn listeners(bootstrap: &Bootstrap, layers: &[Layer]) -> Value {
    let whole = merged(layers, &mut InputReport::default());
    let written = whole.get("entryPoints").and_then(Value::as_object);
    let addresses = written.into_iter().flatten().filter_map(|(_, point)| point.get("address")?.as_str());
    let port = |address: &str| {
        let address = address.split_once('/').map_or(address, |(address, _)| address);
        address.rsplit_once(':').map(|(_, port)| port.to_owned())
    };
    let taken: BTreeSet<String> = addresses.filter_map(port).collect();
    let is_free = |address: &str| port(address).is_none_or(|port| !taken.contains(&port));
    let free: BTreeMap<&str, &str> = bootstrap
        .entry_points
        .iter()
        .rev()
        .filter(|(_, address)| is_free(address))
        .map(|(name, address)| (address.as_str(), name.as_str()))
        .collect();
    let points: Map<String, Value> =
        free.into_iter().map(|(address, name)| (name.to_owned(), json!({ "address": address }))).collect();
    json!({ "entryPoints": points })
}

/// The resolver of the certificates, and its options that are derived here.
fn resolver(bootstrap: &Bootstrap, reader: &mut Reader<'_>) -> Option<(String, Value)> {
    let names = resolvers(reader.layers);
    let whole = merged(reader.layers, &mut InputReport::default());
    let fallbacks = |name: &String| {
        let path = format!("/certificatesResolvers/{name}/acme/fallback");
        whole.pointer(&path).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let fallbacks: BTreeSet<String> =
        names.iter().flat_map(fallbacks).filter_map(|name| name.as_str().map(str::to_owned)).collect();
    let first: Vec<&str> = names.iter().filter(|name| !fallbacks.contains(*name)).map(String::as_str).collect();
    let listed = || config::listed(names.iter().map(String::as_str));
    match (&bootstrap.resolver, first.as_slice()) {
        (Some(name), _) if names.contains(name) => Some((name.clone(), json!({}))),
        (Some(name), _) => {
            let expected = if names.is_empty() { "none: there is no resolver".to_owned() } else { listed() };
            reader.wrong("--resolver", &quoted(name), &expected);
            None
        }
        (None, [only]) if names.len() > 1 => Some(((*only).to_owned(), json!({}))),
        (None, [_, _, ..]) if !bootstrap.certificates.is_empty() => {
            let found = format!("the resolvers {}", listed());
            let names = shortened(&bootstrap.certificates.join(", "));
            reader.wrong("--resolver", &found, &format!("--resolver NAME: the one for {names}"));
            None
        }
        (None, [first, _, ..]) => Some(((*first).to_owned(), json!({}))),
        (None, _) => reader.resolver(match &bootstrap.challenged {
            Some(name) => json!({ "httpChallenge": { "entryPoint": name } }),
            None => json!({ "tlsChallenge": {} }),
        }),
    }
}
