//! `certificatesResolvers`, read as the plugin reads them, together with the routers that want certificates: options
//! accepted here are never refused there.

use std::collections::{BTreeMap, BTreeSet};

use config::rule::Syntax;
use config::{self, Resolver, shortened};
use protocol::CertificateId;
use serde_json::{Map, Value, json};

use super::build::Build;
use super::entry_points::EntryPoints;
use crate::input::go_flag;
use crate::traefik::Domain;
use protocol::mac_key::{MacKey, UnfitMacKey};

/// The port of HTTP-01.
const HTTP_CHALLENGE_PORT: u16 = 80;

/// The port of TLS-ALPN-01 (RFC 8737 §3).
const TLS_CHALLENGE_PORT: u16 = 443;

/// Prefix of routers' paths in the plugin's configuration; ours have their own paths.
const ROUTERS: &str = "routers.";

/// An unsupported kind of resolver.
const TAILSCALE: &str = "tailscale";

/// Resolvers, and the routers that want certificates of them.
pub(super) struct Resolvers {
    options: Map<String, Value>,
    /// The names of resolvers of an unsupported kind.
    left_out: BTreeSet<String>,
    /// Routers by their path.
    routers: Map<String, Value>,
}

/// A router that wants certificates.
pub(super) struct Wanting<'a> {
    pub(super) path: &'a str,
    pub(super) rule: &'a str,
    pub(super) syntax: Syntax,
    /// `tls.domains`; if empty, the names are those of the rule.
    pub(super) domains: &'a [Domain],
    pub(super) resolver: &'a str,
}

/// The result: resolvers, and the certificates that routers want of them.
pub(super) struct Read {
    pub(super) resolvers: Vec<Resolver>,
    /// The resolvers as the plugin gets them.
    pub(super) options: Map<String, Value>,
    /// The MAC keys, which the plugin does not get.
    pub(super) mac_keys: BTreeMap<String, MacKey>,
    /// The names of each certificate, by the key of the router.
    pub(super) certificates: BTreeMap<String, Vec<Vec<String>>>,
}

impl Resolvers {
    /// The supported resolvers. lego's variables provide absent options for the CA's server.
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
        let mut left_out = BTreeSet::new();
        options.retain(|name, resolver| {
            let is_left_out =
                resolver.as_object_mut().is_some_and(|kinds| kinds.remove(TAILSCALE).is_some() && kinds.is_empty());
            if is_left_out {
                left_out.insert(name.clone());
            }
            !is_left_out
        });
        Self { options, left_out, routers: Map::new() }
    }

    /// True if a router can have certificates of this resolver. For an unsupported kind, a warning names the
    /// certificates that are served instead; an unknown name is reported later, with all others.
    pub(super) fn can_issue(&self, path: &str, name: &str, build: &mut Build<'_>) -> bool {
        let is_left_out = self.left_out.contains(name);
        if is_left_out {
            let name = shortened(name);
            build.warn(
                &format!("{path}.tls.certResolver"),
                &format!(
                    "orders nothing: the resolver {name} is Tailscale's, which is not built; a certificate of \
                          tls.certificates or the default one is served"
                ),
            );
        }
        !is_left_out
    }

    /// Registers that a router wants certificates, and returns its key.
    pub(super) fn want(&mut self, router: &Wanting<'_>) -> String {
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
        // A router on several entry points may want several certificates, by the entry points' defaults.
        let mut path = router.path.to_owned();
        while self.routers.get(&path).is_some_and(|known| *known != value) {
            path.push('\'');
        }
        self.routers.insert(path.clone(), value);
        path
    }

    /// Reads all resolvers and routers.
    pub(super) fn read(self, entry_points: &EntryPoints, build: &mut Build<'_>) -> Option<Read> {
        let Self { mut options, routers, left_out: _ } = self;
        let mac_keys = take_mac_keys(&mut options, build);
        let configuration = json!({
            "certificatesResolvers": options, "routers": routers, "sidecar": { "cluster": "sidecar" },
        });
        let mut certificates: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
        let mut on_router = |router: &str, id: &CertificateId| {
            certificates.entry(router.to_owned()).or_default().push(id.names.clone());
        };
        let config = match config::parse_with(&configuration, &mut on_router) {
            Ok(config) => config,
            Err(mistakes) => {
                for mistake in mistakes {
                    let path = mistake.path.strip_prefix(ROUTERS).unwrap_or(&mistake.path).to_owned();
                    build.push(config::Mistake { path, ..mistake });
                }
                return None;
            }
        };
        for warning in &config.warnings {
            build.say(warning.strip_prefix(ROUTERS).unwrap_or(warning));
        }
        for resolver in &config.resolvers {
            check_entry_point(resolver, entry_points, build);
        }
        Some(Read { resolvers: config.resolvers, options, mac_keys, certificates })
    }
}

fn check_entry_point(resolver: &Resolver, entry_points: &EntryPoints, build: &mut Build<'_>) {
    if resolver.tls_challenge.is_some() && entry_points.list.iter().all(|point| point.port != TLS_CHALLENGE_PORT) {
        let path = format!("certificatesResolvers.{}.acme.tlsChallenge", shortened(&resolver.name));
        build.warn(
            &path,
            "no entry point listens on port 443; CAs connect to port 443, which must be mapped to one with TLS",
        );
    }
    let Some(challenge) = &resolver.http_challenge else { return };
    let path = format!("certificatesResolvers.{}.acme.httpChallenge.entryPoint", shortened(&resolver.name));
    let known = entry_points.names.iter().map(String::as_str);
    match entry_points.get(&challenge.entry_point) {
        Some(entry_point) if entry_point.port != HTTP_CHALLENGE_PORT && !build.is_of_bootstrap => {
            let port = entry_point.port;
            let name = shortened(&entry_point.name);
            let warning = format!(
                "the entry point {name} listens on port {port}; CAs connect to port 80, which must be mapped to it"
            );
            build.warn(&path, &warning);
        }
        Some(_) => {}
        None if known.clone().any(|name| name == challenge.entry_point) => {}
        None => build.unknown(&path, &challenge.entry_point, "entry points", known),
    }
}

/// Takes each resolver's MAC key out of its options: Envoy shows its configuration, and only the sidecar needs the key.
fn take_mac_keys(options: &mut Map<String, Value>, build: &mut Build<'_>) -> BTreeMap<String, MacKey> {
    let mut mac_keys = BTreeMap::new();
    for (resolver, options) in options {
        let Some(eab) = options.pointer_mut("/acme/eab").and_then(Value::as_object_mut) else { continue };
        let found = match eab.remove("hmacEncoded") {
            Some(text) => MacKey::parse(text.as_str().unwrap_or_default()),
            None => Err(UnfitMacKey::Missing),
        };
        match found {
            Ok(key) => {
                mac_keys.insert(resolver.clone(), key);
            }
            Err(unfit) => {
                let path = format!("certificatesResolvers.{}.acme.eab.hmacEncoded", shortened(resolver));
                build.wrong(&path, unfit.found(), MacKey::EXPECTED);
            }
        }
    }
    mac_keys
}
