//! A configuration of a few flags: `--domain example.com --email me@example.com --upstream 127.0.0.1:8080`.

use resolver::config::shortened;
use serde_json::{Map, Value, json};

use super::mistake::{Mistake, Report, wrong};

/// What mistakes in these flags are said to be in.
pub(crate) const SOURCE: &str = "command line";

/// The resolver that there is when the rest of the configuration has none.
const RESOLVER: &str = "default";

const SERVICE: &str = "upstream";

/// What can be said without any of Traefik's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quick {
    /// `--domain`: each is a certificate with these names, separated by commas.
    pub domains: Vec<String>,
    /// `--upstream`: where their requests go, as `host:port`, `:port` (on this machine) or an http, https or h2c URL.
    pub upstream: Option<String>,
    /// `--email`: of every resolver.
    pub email: Option<String>,
    /// `--ca-server`: of every resolver.
    pub ca_server: Option<String>,
    /// `--storage`: of every resolver.
    pub storage: Option<String>,
    /// `--key-type`: of every resolver.
    pub key_type: Option<String>,
}

/// What `--domain` and `--upstream` add below everything else. `resolvers` are those of the other sources.
pub(crate) fn base(quick: &Quick, resolvers: &[String], report: &mut Report) -> Value {
    let mut mistake = |path: &str, found: &str, expected: &str| {
        let mistake = wrong(path, found, expected);
        report.is_partial = true;
        report.push(Mistake { source: Some(SOURCE.to_owned()), place: None, mistake });
    };
    if quick.domains.is_empty() {
        if quick.upstream.is_some() {
            mistake("--upstream", "an upstream without a domain", "--domain too");
        }
        return Value::Object(Map::new());
    }
    let (resolver, own) = match resolvers {
        [only] if only != RESOLVER => (only.as_str(), json!({})),
        // Flags of Traefik's may have said more of it already.
        [] | [_] => (RESOLVER, json!({ RESOLVER: { "acme": { "httpChallenge": { "entryPoint": "web" } } } })),
        several => {
            let names: Vec<&str> = several.iter().map(String::as_str).collect();
            let found = format!("the resolvers {}", resolver::config::listed(names));
            mistake("--domain", &found, "one resolver at most: with several, write a router for the domain");
            return Value::Object(Map::new());
        }
    };
    let Some(upstream) = &quick.upstream else {
        mistake("--upstream", "nothing", "where the requests go, as 127.0.0.1:8080 or https://10.0.0.1:8443");
        return Value::Object(Map::new());
    };
    let mut routers = Map::new();
    for domain in &quick.domains {
        let names: Vec<&str> = domain.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let Some((main, sans)) = names.split_first() else {
            mistake("--domain", "an empty text", "a domain, as example.com");
            continue;
        };
        if let Some(name) = names.iter().find(|name| name.contains(['`', '"', '\\'])) {
            mistake("--domain", &super::mistake::quoted(name), "a domain, as example.com");
            continue;
        }
        let rule: Vec<String> = names.iter().map(|name| matcher(name)).collect();
        let router = json!({
            "rule": rule.join(" || "),
            "service": SERVICE,
            "entryPoints": ["websecure"],
            "tls": { "certResolver": resolver, "domains": [{ "main": main, "sans": sans }] },
        });
        if routers.insert((*main).to_owned(), router).is_some() {
            mistake("--domain", &format!("{} twice", shortened(main)), "each domain once");
        }
    }
    json!({
        "entryPoints": {
            "web": { "address": ":80", "http": { "redirections": { "entryPoint": { "to": "websecure" } } } },
            "websecure": { "address": ":443" },
        },
        "certificatesResolvers": own,
        "http": {
            "routers": routers,
            "services": { SERVICE: { "loadBalancer": { "servers": [{ "url": url(upstream) }] } } },
        },
    })
}

/// What `--email` and its like set in every resolver, above everything else.
pub(crate) fn options(quick: &Quick, resolvers: &[String]) -> Value {
    let options = [
        ("email", &quick.email),
        ("caServer", &quick.ca_server),
        ("storage", &quick.storage),
        ("keyType", &quick.key_type),
    ];
    let set = |(key, value): (&str, &Option<String>)| value.clone().map(|value| (key.to_owned(), Value::String(value)));
    let acme: Map<String, Value> = options.into_iter().filter_map(set).collect();
    if acme.is_empty() {
        return Value::Object(Map::new());
    }
    let resolvers: Map<String, Value> = resolvers.iter().map(|name| (name.clone(), json!({ "acme": acme }))).collect();
    json!({ "certificatesResolvers": resolvers })
}

/// A wildcard is for the names of one more label, as its certificate is.
fn matcher(name: &str) -> String {
    match name.strip_prefix("*.") {
        Some(parent) => format!("HostRegexp(`^[^.]+\\.{}$`)", parent.replace('.', "\\.")),
        None => format!("Host(`{name}`)"),
    }
}

/// A URL of what may be `host:port` or `:port`.
fn url(upstream: &str) -> String {
    let upstream = upstream.trim();
    match upstream {
        _ if upstream.contains("://") => upstream.to_owned(),
        _ if upstream.starts_with(':') => format!("http://127.0.0.1{upstream}"),
        _ => format!("http://{upstream}"),
    }
}
