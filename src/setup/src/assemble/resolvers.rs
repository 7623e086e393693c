//! `certificatesResolvers`, read as the plugin reads them, together with the routers that want certificates: what is
//! taken here is never refused there.

use std::collections::{BTreeMap, BTreeSet};

use resolver::config::rule::Syntax;
use resolver::config::{self, Hidden, Resolver, shortened};
use serde_json::{Map, Value, json};

use super::Build;
use super::entry_points::EntryPoints;
use crate::input::go_flag;
use crate::traefik::Domain;

/// The port that a CA asks on.
const HTTP_CHALLENGE_PORT: u16 = 80;

/// The same for TLS-ALPN-01 (RFC 8737 §3).
const TLS_CHALLENGE_PORT: u16 = 443;

/// What the variables of MAC keys that were taken out of the configuration begin with.
const MAC_KEY: &str = "ENVOY_AUTOCERT_EAB_HMAC_";

/// The plugin's configuration puts routers under this key, and theirs have paths.
const ROUTERS: &str = "routers.";

/// Resolvers, and who wants certificates of them.
pub(super) struct Resolvers {
    options: Map<String, Value>,
    /// By the path of the router.
    routers: Map<String, Value>,
}

/// What is known of a router that wants certificates.
pub(super) struct Wanting<'a> {
    pub(super) path: &'a str,
    pub(super) rule: &'a str,
    pub(super) syntax: Syntax,
    /// `tls.domains`; when it is empty, the names are those of the rule.
    pub(super) domains: &'a [Domain],
    pub(super) resolver: &'a str,
}

/// Resolvers as types, as the plugin gets them, and the MAC keys that it does not get.
type Read = (Vec<Resolver>, Map<String, Value>, BTreeMap<String, Hidden>);

impl Resolvers {
    /// lego's variables stand in for what resolvers do not say of the CA's server.
    pub(super) fn new(mut options: Map<String, Value>, environment: &[(String, String)]) -> Self {
        let variable = |name: &str| {
            let value = environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim());
            value.filter(|value| !value.is_empty())
        };
        let certificates = variable("LEGO_CA_CERTIFICATES").map(|paths| json!(paths.split(':').collect::<Vec<_>>()));
        let pool = variable("LEGO_CA_SYSTEM_CERT_POOL").and_then(go_flag).map(Value::Bool);
        let name = variable("LEGO_CA_SERVER_NAME").map(Value::from);
        let defaults = [("caCertificates", certificates), ("caSystemCertPool", pool), ("caServerName", name)];
        for resolver in options.values_mut() {
            let Some(acme) = resolver.get_mut("acme").and_then(Value::as_object_mut) else { continue };
            for (key, value) in &defaults {
                if let Some(value) = value {
                    acme.entry(*key).or_insert_with(|| value.clone());
                }
            }
        }
        Self { options, routers: Map::new() }
    }

    pub(super) fn want(&mut self, router: &Wanting<'_>) {
        let domain = |domain: &Domain| {
            let mut value = Map::new();
            value.extend(domain.main.clone().map(|main| ("main".to_owned(), Value::String(main))));
            value.extend(domain.sans.clone().map(|sans| ("sans".to_owned(), json!(sans))));
            Value::Object(value)
        };
        let syntax = match router.syntax {
            Syntax::V2 => "v2",
            Syntax::V3 => "v3",
        };
        let mut tls = Map::new();
        tls.insert("certResolver".to_owned(), Value::from(router.resolver));
        if !router.domains.is_empty() {
            tls.insert("domains".to_owned(), router.domains.iter().map(domain).collect());
        }
        let value = json!({ "rule": router.rule, "ruleSyntax": syntax, "tls": tls });
        // A router on several entry points may want several things, each as its entry point says.
        let mut path = router.path.to_owned();
        while self.routers.get(&path).is_some_and(|known| *known != value) {
            path.push('\'');
        }
        self.routers.insert(path, value);
    }

    /// Reads all of it.
    pub(super) fn read(self, entry_points: &EntryPoints, build: &mut Build<'_>) -> Option<Read> {
        let Self { mut options, routers } = self;
        let configuration = json!({
            "certificatesResolvers": options, "routers": routers, "sidecar": { "cluster": "sidecar" },
        });
        let config = match config::parse(&configuration) {
            Ok(config) => config,
            Err(mistakes) => {
                for mistake in mistakes {
                    let path = mistake.path.strip_prefix(ROUTERS).unwrap_or(&mistake.path).to_owned();
                    build.push(config::Mistake { path, ..mistake });
                }
                return None;
            }
        };
        let mac_keys = take_mac_keys(&config.resolvers, &mut options);
        // A key that was taken out reaches no configuration of Envoy's, which is what the warning is of.
        let is_taken = |warning: &&String| !mac_keys.is_empty() && warning.contains(".acme.eab.hmacEncoded: ");
        for warning in config.warnings.iter().filter(|warning| !is_taken(warning)) {
            build.report.warn(warning.strip_prefix(ROUTERS).unwrap_or(warning).to_owned());
        }
        for resolver in &config.resolvers {
            check_entry_point(resolver, entry_points, build);
        }
        Some((config.resolvers, options, mac_keys))
    }
}

fn check_entry_point(resolver: &Resolver, entry_points: &EntryPoints, build: &mut Build<'_>) {
    if resolver.tls_challenge.is_some() && entry_points.list.iter().all(|point| point.port != TLS_CHALLENGE_PORT) {
        let path = format!("certificatesResolvers.{}.acme.tlsChallenge", shortened(&resolver.name));
        build.warn(&path, "no entry point listens on port 443; CAs ask on port 443, which must lead to one with TLS");
    }
    let Some(challenge) = &resolver.http_challenge else { return };
    let path = format!("certificatesResolvers.{}.acme.httpChallenge.entryPoint", shortened(&resolver.name));
    let known = entry_points.names.iter().map(String::as_str);
    match entry_points.get(&challenge.entry_point) {
        Some(entry_point) if entry_point.port != HTTP_CHALLENGE_PORT => {
            let port = entry_point.port;
            let warning = format!("listens on port {port}; CAs ask on port 80, which must lead there");
            build.warn(&path, &warning);
        }
        Some(_) => {}
        None if known.clone().any(|name| name == challenge.entry_point) => {}
        None => build.unknown(&path, &challenge.entry_point, "entry points", known),
    }
}

/// Puts a variable's name in the place of each MAC key, since Envoy shows its configuration. Each variable has a name of
/// its own, also where resolvers' names differ in a way that variables' names can't.
fn take_mac_keys(resolvers: &[Resolver], options: &mut Map<String, Value>) -> BTreeMap<String, Hidden> {
    let keys = || resolvers.iter().filter_map(|resolver| Some((resolver, resolver.eab.as_ref()?.hmac_encoded.clone())));
    let mut taken: BTreeSet<String> =
        keys().filter_map(|(_, key)| key.expose().strip_prefix("env:").map(str::to_owned)).collect();
    let mut mac_keys = BTreeMap::new();
    for (resolver, key) in keys() {
        if key.expose().starts_with("env:") || key.expose().starts_with("file:") {
            continue;
        }
        let shout = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let name = format!("{MAC_KEY}{}", resolver.name.chars().map(shout).collect::<String>());
        let numbered = (2_u32..).map(|number| format!("{name}_{number}"));
        let name = std::iter::once(name.clone()).chain(numbered).find(|name| taken.insert(name.clone()));
        let place = options.get_mut(&resolver.name).and_then(|resolver| resolver.pointer_mut("/acme/eab/hmacEncoded"));
        if let (Some(name), Some(place)) = (name, place) {
            *place = Value::String(format!("env:{name}"));
            mac_keys.insert(name, key);
        }
    }
    mac_keys
}
