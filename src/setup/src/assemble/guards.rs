//! Guards: middlewares that a router can't be served without.
//!
//! Promises: a middleware counts as a guard unless it is known not to be one: if it can refuse a request, redirect it
//! or change its path, or sets headers for servers; if it has several kinds or none; if it is a chain with such a part,
//! or contains itself; if it is of another provider, or does not exist.

use std::collections::{BTreeMap, HashMap};

use config::shortened;

use super::provider::without_provider;
use crate::traefik::LeftOut;
use crate::traefik::middlewares::{Buffering, Headers, Middleware, TcpMiddleware};

/// Maximum number of reasons per middleware: a chain may have any number of parts.
const MAX_REASONS: usize = 8;

/// A reason why a middleware is a guard.
const REFUSES: &str = "can refuse requests";
const REDIRECTS: &str = "sends requests elsewhere";
const REWRITES: &str = "sends requests to another path";
const TRUSTS: &str = "has customRequestHeaders: without them servers get these headers as clients send them";

/// All middlewares of one kind, by name, each with its reasons to be a guard.
pub(super) struct Guards(HashMap<String, Vec<String>>);

impl Guards {
    /// The middlewares for requests.
    pub(super) fn http(written: &BTreeMap<String, Middleware>) -> Self {
        let mut guards = Self(HashMap::new());
        for name in parts_first(written) {
            let Some(middleware) = written.get(name) else { continue };
            let mut lacks = own(name, middleware);
            for part in parts(middleware) {
                lacks.extend(guards.lacks_of(part));
                lacks.dedup();
                lacks.truncate(MAX_REASONS);
            }
            guards.0.insert(name.to_owned(), lacks);
        }
        for name in written.keys().filter(|name| !guards.0.contains_key(*name)).cloned().collect::<Vec<_>>() {
            let lack = format!("{}: a chain that has itself among its parts", shortened(&name));
            guards.0.insert(name, vec![lack]);
        }
        guards
    }

    /// The middlewares for connections: each of them can refuse some.
    pub(super) fn tcp(written: &BTreeMap<String, TcpMiddleware>) -> Self {
        let lacks = |(name, middleware): (&String, &TcpMiddleware)| {
            let kinds = [
                ("inFlightConn", middleware.in_flight_conn),
                ("ipAllowList", middleware.ip_allow_list),
                ("ipWhiteList", middleware.ip_white_list),
            ];
            let found = kinds.into_iter().filter(|(_, there)| there.is_some()).map(|(kind, _)| kind);
            let kind = found.collect::<Vec<_>>().join(" and ");
            let what =
                if kind.is_empty() { "of no kind".to_owned() } else { format!("{kind}, which can refuse connections") };
            (name.clone(), vec![format!("{}: {what}", shortened(name))])
        };
        Self(written.iter().map(lacks).collect())
    }

    /// The guards among these middlewares, with the path of the field that names them.
    pub(super) fn lacks(&self, path: &str, names: Option<&[String]>) -> Vec<String> {
        let all = names.unwrap_or_default().iter().flat_map(|name| self.lacks_of(name));
        all.map(|lack| format!("{path}: {lack}")).collect()
    }

    fn lacks_of(&self, name: &str) -> Vec<String> {
        let name = name.trim();
        let plain = without_provider(name);
        match self.0.get(plain) {
            Some(lacks) => lacks.clone(),
            None if plain.contains('@') => vec![format!("{}: of a provider that is not read", shortened(name))],
            None => vec![format!("{}: there is no middleware of this name", shortened(name))],
        }
    }
}

/// The names, a chain's parts before the chain; without chains that contain themselves.
fn parts_first(written: &BTreeMap<String, Middleware>) -> Vec<&str> {
    let mut chains_of: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut waiting: HashMap<&str, usize> = HashMap::new();
    for (name, middleware) in written {
        let known = parts(middleware).filter_map(|part| written.get_key_value(without_provider(part.trim())));
        for (part, _) in known {
            chains_of.entry(part).or_default().push(name);
            *waiting.entry(name).or_default() += 1;
        }
    }
    let mut ready: Vec<&str> = written.keys().map(String::as_str).filter(|name| !waiting.contains_key(name)).collect();
    let mut next = 0;
    while let Some(name) = ready.get(next).copied() {
        next += 1;
        for chain in chains_of.remove(name).unwrap_or_default() {
            let left = waiting.entry(chain).or_default();
            *left = left.saturating_sub(1);
            if *left == 0 {
                ready.push(chain);
            }
        }
    }
    ready
}

fn parts(middleware: &Middleware) -> impl Iterator<Item = &str> {
    middleware.chain.iter().filter_map(|chain| chain.middlewares.as_ref()).flatten().map(String::as_str)
}

/// The reasons of the middleware itself, without its parts.
fn own(name: &str, middleware: &Middleware) -> Vec<String> {
    let kinds = kinds(middleware);
    let lack = match kinds.as_slice() {
        [] => "of no kind".to_owned(),
        [(_, None)] => return Vec::new(),
        [(kind, Some(why))] => format!("{kind}, which {why}"),
        several => {
            let names: Vec<&str> = several.iter().map(|(kind, _)| *kind).collect();
            format!("of several kinds ({}), which Traefik does not take", names.join(", "))
        }
    };
    vec![format!("{}: {lack}", shortened(name))]
}

/// The kinds of a middleware, each with the reason why it is a guard; `None` if it is not.
fn kinds(middleware: &Middleware) -> Vec<(&'static str, Option<&'static str>)> {
    let guards = |there: bool| there.then_some(REFUSES);
    let known: [(&str, Option<LeftOut>, Option<&str>); 23] = [
        ("addPrefix", middleware.add_prefix, Some(REWRITES)),
        ("basicAuth", middleware.basic_auth, Some(REFUSES)),
        ("circuitBreaker", middleware.circuit_breaker, Some(REFUSES)),
        ("compress", middleware.compress, None),
        ("contentType", middleware.content_type, None),
        ("digestAuth", middleware.digest_auth, Some(REFUSES)),
        ("encodedCharacters", middleware.encoded_characters, Some(REFUSES)),
        ("errors", middleware.errors, None),
        ("forwardAuth", middleware.forward_auth, Some(REFUSES)),
        ("grpcWeb", middleware.grpc_web, None),
        ("inFlightReq", middleware.in_flight_req, Some(REFUSES)),
        ("ipAllowList", middleware.ip_allow_list, Some(REFUSES)),
        ("ipWhiteList", middleware.ip_white_list, Some(REFUSES)),
        // Client certificates are not requested, so servers get none; clients' headers about one are removed.
        ("passTLSClientCert", middleware.pass_tls_client_cert, None),
        ("plugin", middleware.plugin, Some("can do anything")),
        ("rateLimit", middleware.rate_limit, Some(REFUSES)),
        ("redirectRegex", middleware.redirect_regex, Some(REDIRECTS)),
        ("redirectScheme", middleware.redirect_scheme, Some(REDIRECTS)),
        ("replacePath", middleware.replace_path, Some(REWRITES)),
        ("replacePathRegex", middleware.replace_path_regex, Some(REWRITES)),
        ("retry", middleware.retry, None),
        ("stripPrefix", middleware.strip_prefix, Some(REWRITES)),
        ("stripPrefixRegex", middleware.strip_prefix_regex, Some(REWRITES)),
    ];
    let mut kinds: Vec<_> =
        known.into_iter().filter(|(_, there, _)| there.is_some()).map(|(kind, _, why)| (kind, why)).collect();
    if middleware.chain.is_some() {
        kinds.push(("chain", None));
    }
    if let Some(buffering) = &middleware.buffering {
        kinds.push(("buffering", guards(refuses_bodies(buffering))));
    }
    if let Some(headers) = &middleware.headers {
        kinds.push(("headers", of_headers(headers)));
    }
    kinds
}

fn refuses_bodies(buffering: &Buffering) -> bool {
    buffering.max_request_body_bytes.is_some() || buffering.max_response_body_bytes.is_some()
}

fn of_headers(headers: &Headers) -> Option<&'static str> {
    let redirects = [headers.ssl_force_host, headers.ssl_host, headers.ssl_redirect, headers.ssl_temporary_redirect];
    match headers.allowed_hosts {
        Some(_) => Some("has allowedHosts and can refuse requests"),
        None if redirects.iter().any(Option::is_some) => Some("has ssl… and sends requests elsewhere"),
        None if headers.custom_request_headers.is_some() => Some(TRUSTS),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn lacks(middlewares: serde_json::Value, name: &str) -> Vec<String> {
        let written: BTreeMap<String, Middleware> = serde_json::from_value(middlewares).unwrap();
        Guards::http(&written).lacks("p", Some(&[name.to_owned()]))
    }

    #[test]
    fn every_kind_that_is_not_known_to_be_harmless_guards() {
        let schema = schemars::schema_for!(Middleware).to_value();
        let kinds: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        let harmless =
            ["chain", "compress", "contentType", "errors", "grpcWeb", "headers", "passTLSClientCert", "retry"];
        assert_eq!(kinds.len(), 26);
        for kind in kinds {
            let is_table = ["chain", "headers", "buffering"].contains(&kind.as_str());
            let value = if is_table { json!({}) } else { json!(true) };
            let found = lacks(json!({ "m": { kind: value } }), "m");
            let is_harmless = harmless.contains(&kind.as_str()) || kind == "buffering";
            assert_eq!(found.is_empty(), is_harmless, "{kind}: {found:?}");
            assert!(found.iter().all(|lack| lack.starts_with(&format!("p: m: {kind}, which "))), "{found:?}");
        }
        for (kind, option) in [
            ("headers", "allowedHosts"),
            ("headers", "sslRedirect"),
            ("headers", "sslForceHost"),
            ("headers", "customRequestHeaders"),
            ("buffering", "maxRequestBodyBytes"),
        ] {
            assert_eq!(lacks(json!({ "m": { kind: { option: true } } }), "m").len(), 1, "{kind}.{option}");
        }
    }

    #[test]
    fn what_is_not_known_guards() {
        let one = json!({ "none": {}, "two": { "compress": true, "retry": true } });
        assert_eq!(lacks(one.clone(), "none"), ["p: none: of no kind"]);
        let several = "p: two: of several kinds (compress, retry), which Traefik does not take";
        assert_eq!(lacks(one.clone(), "two"), [several]);
        assert_eq!(lacks(one.clone(), "auth@docker"), ["p: auth@docker: of a provider that is not read"]);
        assert_eq!(lacks(one.clone(), "none@file"), ["p: none: of no kind"]);
        assert_eq!(lacks(one.clone(), "auth"), ["p: auth: there is no middleware of this name"]);
        assert_eq!(lacks(one, "auth@file"), ["p: auth@file: there is no middleware of this name"]);
    }

    #[test]
    fn a_chain_guards_by_its_parts_however_deep_they_are() {
        let chain = |parts: &[&str]| json!({ "chain": { "middlewares": parts } });
        let all = json!({
            "auth": { "basicAuth": true },
            "gzip": { "compress": true },
            "fine": chain(&["gzip", "gzip@file"]),
            "a": chain(&["fine", "b"]),
            "b": chain(&["auth@file"]),
            "self": chain(&["self"]),
            "left": chain(&["right"]),
            "right": chain(&["gzip", "left"]),
            "above": chain(&["left"]),
            "foreign": chain(&["gzip", "x@docker"]),
        });
        assert_eq!(lacks(all.clone(), "fine"), [""; 0]);
        assert_eq!(lacks(all.clone(), "a"), ["p: auth: basicAuth, which can refuse requests"]);
        for name in ["self", "left", "right", "above"] {
            assert!(lacks(all.clone(), name)[0].ends_with("a chain that has itself among its parts"), "{name}");
        }
        assert_eq!(lacks(all, "foreign"), ["p: x@docker: of a provider that is not read"]);
    }

    #[test]
    fn chains_within_chains_cost_no_stack() {
        let mut all = serde_json::Map::new();
        for index in 0..50_000 {
            all.insert(format!("m{index}"), json!({ "chain": { "middlewares": [format!("m{}", index + 1)] } }));
        }
        all.insert("m50000".to_owned(), json!({ "rateLimit": true }));
        assert_eq!(lacks(all.into(), "m0"), ["p: m50000: rateLimit, which can refuse requests"]);
    }
}
