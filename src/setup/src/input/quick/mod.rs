//! A configuration of a few flags: `--domain example.com --upstream 127.0.0.1:8080`.
//!
//! Promises: values in files, variables and Traefik's flags take precedence, and a value that contradicts the flags is
//! a mistake. A mistake in a flag's value names the flag ([`words`]).

mod flags;
mod options;
mod reader;
pub(crate) mod source;
mod upstream;
mod words;

use serde_json::{Map, Value, json};

use super::layers::{Layer, Rank};
use super::mistake::{InputReport, Mistake, quoted, wrong};
use super::resolver_names::resolvers;
use config::shortened;
pub use flags::Quick;
pub(crate) use options::options;
pub(super) use reader::Reader;
use reader::has;
pub(crate) use source::SOURCE;
use source::{HTTP, HTTPS};
use upstream::url;
pub use words::Flags;
pub(crate) use words::Words;

/// Name of the resolver if the rest of the configuration has none.
const RESOLVER: &str = "default";

const SERVICE: &str = "upstream";

/// Names of the entry points for `--domain`.
pub(crate) const WEB: &str = "web";
const WEBSECURE: &str = "websecure";

impl Quick {
    /// The ports of the entry points, without TLS and with it.
    fn ports(&self) -> (u16, u16) {
        (self.http_port.unwrap_or(HTTP), self.https_port.unwrap_or(HTTPS))
    }

    /// The HTTPS port for visitors who name the port of `--http-port`, and so did not come through a port mapping;
    /// visitors who did are redirected to port 443. `None` if both are redirected to the same port.
    pub(crate) fn unmapped(&self) -> Option<u16> {
        let (http, https) = self.ports();
        (http != HTTP && https != HTTPS).then_some(https)
    }
}

/// Configuration from `--domain` and its like, of the lowest rank.
pub(crate) fn base(quick: &Quick, layers: &[Layer], report: &mut InputReport) -> Value {
    let mut flags = Reader { quick, layers, report };
    let nothing = Value::Object(Map::new());
    let is_fine = flags.ports();
    if quick.domains.is_empty() {
        for (flag, is_there) in [("--upstream", quick.upstream.is_some()), ("--dns", quick.dns.is_some())] {
            if is_there {
                flags.wrong(flag, &format!("{} without a domain", kind(flag)), "--domain too");
            }
        }
        return nothing;
    }
    let challenge = json!({ "httpChallenge": { "entryPoint": WEB } });
    let (Some((resolver, own)), true) = (flags.resolver(challenge), is_fine) else { return nothing };
    let Some(upstream) = &quick.upstream else {
        flags.wrong("--upstream", "nothing", "where the requests go, as 127.0.0.1:8080 or https://10.0.0.1:8443");
        return nothing;
    };
    if !flags.is_fit(upstream) {
        return nothing;
    }
    let routers = flags.routers(&quick.domains, &resolver, Some(WEBSECURE));
    let (http, https) = quick.ports();
    let to = if quick.unmapped().is_some() { format!(":{HTTPS}") } else { WEBSECURE.to_owned() };
    json!({
        "entryPoints": {
            WEB: { "address": format!(":{http}"), "http": { "redirections": { "entryPoint": { "to": to } } } },
            WEBSECURE: { "address": format!(":{https}") },
        },
        "certificatesResolvers": own,
        "http": {
            "routers": routers,
            "services": service(upstream),
        },
    })
}

/// The service of the routers.
pub(super) fn service(upstream: &str) -> Value {
    json!({ SERVICE: { "loadBalancer": { "servers": [{ "url": url(upstream) }] } } })
}

fn kind(flag: &str) -> &'static str {
    if flag == "--dns" { "a DNS provider" } else { "an upstream" }
}

impl Reader<'_> {
    pub(super) fn wrong(&mut self, flag: &str, found: &str, expected: &str) {
        self.report.is_partial = true;
        let mistake = wrong(flag, found, expected);
        self.report.push(Mistake { source: Some(SOURCE.to_owned()), position: None, mistake });
    }

    /// Reports mistakes in `--http-port` and `--https-port`.
    fn ports(&mut self) -> bool {
        let quick = self.quick;
        let given = [("--http-port", quick.http_port), ("--https-port", quick.https_port)];
        let given: Vec<(&str, u16)> = given.into_iter().filter_map(|(flag, port)| Some((flag, port?))).collect();
        let other = self.layers.iter().find(|layer| has(&layer.value, "entryPoints"));
        let other = other.map(|layer| shortened(&layer.name));
        for (flag, port) in &given {
            match &other {
                Some(source) => self.wrong(
                    flag,
                    &format!("{port}, and entry points of your own ({source})"),
                    "one of both: the addresses in entryPoints say where Envoy listens",
                ),
                None if quick.domains.is_empty() => self.wrong(flag, "a port without a domain", "--domain too"),
                None => {}
            }
        }
        let (http, https) = quick.ports();
        if let (true, Some((flag, _))) = (http == https, given.last()) {
            let expected = "a port of its own: --http-port and --https-port are for two";
            self.wrong(flag, &format!("{http} for HTTP and HTTPS"), expected);
        }
        (given.is_empty() || other.is_none()) && http != https
    }

    /// The name of the only resolver, and the options to add to it: `challenge`, unless a DNS provider is given.
    pub(super) fn resolver(&mut self, challenge: Value) -> Option<(String, Value)> {
        let resolvers = resolvers(self.layers);
        match resolvers.as_slice() {
            [] => {}
            [only] if only != RESOLVER || self.is_of_file(RESOLVER) => {
                if self.quick.dns.is_some() {
                    let found = format!("a DNS provider, and the resolver {} of your own", shortened(only));
                    self.wrong("--dns", &found, "the provider in its dnsChallenge, or no resolver");
                    return None;
                }
                if only != RESOLVER {
                    return Some((only.clone(), json!({})));
                }
            }
            // Flags of Traefik's configure the rest of it.
            [_] => {}
            several => {
                let found = format!("the resolvers {}", config::listed(several.iter().map(String::as_str)));
                let expected = "one resolver at most: with several, write a router for the domain";
                self.wrong("--domain", &found, expected);
                return None;
            }
        }
        let mut acme = match &self.quick.dns {
            Some(provider) => json!({ "dnsChallenge": { "provider": provider } }),
            None => challenge,
        };
        // A user who has written a resolver knows Traefik's default.
        if !self.is_of_file(RESOLVER) {
            acme["keyType"] = json!("EC256");
        }
        if self.quick.email.is_none() && !self.is_of_file(RESOLVER) {
            self.without_email(&mut acme);
        }
        Some((RESOLVER.to_owned(), json!({ RESOLVER: { "acme": acme } })))
    }

    /// Most CAs take accounts without a mail address.
    fn without_email(&mut self, acme: &mut Value) {
        let path = format!("/certificatesResolvers/{RESOLVER}/acme/email");
        if self.layers.iter().any(|layer| layer.value.pointer(&path).is_some()) {
            return;
        }
        acme["email"] = json!("none");
        let what = "none given: the CA can't write to anybody about the account and its certificates";
        self.report.warn(format!("--email: {what}"));
    }

    fn is_of_file(&self, resolver: &str) -> bool {
        let mut files = self.layers.iter().filter(|layer| layer.rank == Rank::Beside);
        files.any(|layer| layer.value.get("certificatesResolvers").is_some_and(|all| has(all, resolver)))
    }

    /// Adds a router for each domain, on one entry point or on all.
    pub(super) fn routers(&mut self, domains: &[String], resolver: &str, on: Option<&str>) -> Map<String, Value> {
        let mut routers = Map::new();
        for domain in domains {
            let names: Vec<&str> = domain.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
            let Some((main, sans)) = names.split_first() else {
                self.wrong("--domain", "an empty text", "a domain, as example.com");
                continue;
            };
            if let Some(name) = names.iter().find(|name| name.contains(['`', '"', '\\'])) {
                self.wrong("--domain", &quoted(name), "a domain, as example.com");
                continue;
            }
            let rule: Vec<String> = names.iter().map(|name| matcher(name)).collect();
            let mut router = json!({
                "rule": rule.join(" || "),
                "service": SERVICE,
                "tls": { "certResolver": resolver, "domains": [{ "main": main, "sans": sans }] },
            });
            if let Some(on) = on {
                router["entryPoints"] = json!([on]);
            }
            if routers.insert((*main).to_owned(), router).is_some() {
                self.wrong("--domain", &format!("{} twice", shortened(main)), "each domain once");
            }
        }
        routers
    }
}

/// The rule's matcher for a name. A wildcard matches one label, as its certificate does.
fn matcher(name: &str) -> String {
    match name.strip_prefix("*.") {
        Some(parent) => format!("HostRegexp(`^[^.]+\\.{}$`)", parent.replace('.', "\\.")),
        None => format!("Host(`{name}`)"),
    }
}
