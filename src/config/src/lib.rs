//! The plugin's configuration: Traefik's own keys, and a few of ours.
//!
//! [`parse`] reads it as a whole and reports every mistake at once: a configuration with a mistake is refused.

#![forbid(unsafe_code)]

mod acme_options;
pub mod coverage;
mod default_limits;
pub mod domain;
pub mod duration;
mod engine_options;
mod lower_case;
mod mistake;
mod node;
mod redirect;
mod resolver;
mod routers;
pub mod rule;

use acme::origin::Origin;
use serde_json::Value;

pub use default_limits::{default_limits, is_private};
pub use engine_options::EngineOptions;
pub use mistake::{Mistake, listed, nearest, shortened};
use node::Node;
use protocol::{CertificateId, SecretText};
pub use redirect::{HTTPS_PORT, Redirect};
pub use resolver::{
    CaTrust, DnsChallenge, DnsPersistChallenge, Eab, HttpChallenge, Propagation, Resolver, TlsChallenge,
};
pub use routers::OfRouter;
use routers::Wanted;

/// A configuration without a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `certificatesResolvers.<name>.acme`.
    pub resolvers: Vec<Resolver>,
    /// The certificates that the routers want, without repetitions, in the order of the routers' names.
    pub wants: Vec<CertificateId>,
    /// `sidecar.cluster`: the Envoy cluster of the sidecar's API.
    pub sidecar_cluster: String,
    /// `sidecar.token`: the token in requests to the sidecar's API. The first of several is current, the others were
    /// current before.
    pub sidecar_tokens: Vec<SecretText>,
    /// `caClusters`. The cluster of a `caServer` that is not listed has the name of its host.
    pub ca_clusters: Vec<CaCluster>,
    /// `role`.
    pub role: Role,
    /// `entryPoint`: the entry point whose challenges this responder answers; unset, any.
    pub entry_point: Option<String>,
    /// `redirect`: the redirection of plaintext requests for hosts with a valid certificate; unset, none.
    pub redirect: Option<Redirect>,
    /// `engine`: options for processing orders.
    pub engine: EngineOptions,
    /// Warnings for the log, about values that are accepted but deserve attention.
    pub warnings: Vec<String>,
}

impl Config {
    /// The resolver of this name.
    pub fn resolver(&self, name: &str) -> Option<&Resolver> {
        self.resolvers.iter().find(|resolver| resolver.name == name)
    }
}

/// An entry of `caClusters`: the origin of a CA, and the Envoy cluster that leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaCluster {
    /// `host` or `host:port`.
    pub origin: Origin,
    /// The cluster's name.
    pub cluster: String,
}

/// The role of an instance of the plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Answers challenges, and takes part in the election of the engine.
    #[default]
    Auto,
    /// Only takes part in the election of the engine.
    Engine,
    /// Only answers challenges.
    Responder,
}

const TOKEN: &str = "one of the tokens of the sidecar's --api-token-file: 16 or more printable ASCII characters";

/// Maximum number of tokens: shared data is verified with each of them.
pub const MAX_TOKENS: usize = 4;

/// Minimum length of a token, in bytes: shorter tokens could be guessed. The sidecar has the same minimum.
const MIN_TOKEN: usize = 16;

/// Maximum length of a token, in bytes. The sidecar has the same maximum.
const MAX_TOKEN: usize = 4096;

/// True if the sidecar could have such a token: long enough not to be guessed, and valid in a header.
pub fn is_token(text: &str) -> bool {
    (MIN_TOKEN..=MAX_TOKEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Reads a configuration, or reports every mistake in it.
pub fn parse(value: &Value) -> Result<Config, Vec<Mistake>> {
    parse_with(value, &mut |_, _| {})
}

/// As [`parse`], and calls `wants` with the certificates of each router. Several routers may want the same certificate,
/// which is in [`Config::wants`] once.
pub fn parse_with(value: &Value, wants: OfRouter<'_>) -> Result<Config, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let config = read(&Node::root(value), wants, &mut mistakes);
    match config {
        Some(config) if mistakes.is_empty() => Ok(config),
        _ => Err(mistakes),
    }
}

fn read(root: &Node<'_>, of_router: OfRouter<'_>, mistakes: &mut Vec<Mistake>) -> Option<Config> {
    let mut top = root.table(mistakes)?;
    let role = top.take("role").map_or(Some(Role::Auto), |node| role(&node, mistakes));
    let entry_point = top.take("entryPoint").and_then(|node| node.text("the name of an entry point", mistakes));
    let redirect = redirect::read(&mut top, mistakes);
    let resolvers = top.take("certificatesResolvers");
    let has_none = resolvers.as_ref().is_none_or(Node::is_empty_table);
    let resolver_names = resolvers.as_ref().map(Node::keys).unwrap_or_default();
    let mut warnings = Vec::new();
    let resolvers = resolvers.map(|node| acme_options::resolvers(&node, &mut warnings, mistakes)).unwrap_or_default();
    let Wanted { wants, warnings: of_routers } = match top.take("routers") {
        Some(node) => routers::wants(&node, &resolver_names, &resolvers, of_router, mistakes),
        None => Wanted::default(),
    };
    warnings.extend(of_routers);
    let Sidecar { cluster: sidecar_cluster, tokens: sidecar_tokens } =
        top.take("sidecar").and_then(|node| sidecar(&node, mistakes)).unwrap_or_default();
    let ca_clusters = top.take("caClusters").map(|node| ca_clusters(&node, mistakes)).unwrap_or_default();
    let engine = top.take("engine").map(|node| engine_options::read(&node, mistakes)).unwrap_or_default();
    // A responder needs nothing else; an instance that may become the engine needs resolvers and a sidecar.
    if matches!(role, Some(Role::Auto | Role::Engine)) {
        if has_none {
            mistakes.push(top.missing("certificatesResolvers", "at least one resolver: <name>.acme"));
        }
        if sidecar_cluster.is_none() && !mistakes.iter().any(|mistake| mistake.path.starts_with("sidecar")) {
            mistakes.push(top.missing("sidecar.cluster", "the name of the Envoy cluster of the sidecar's API"));
        }
    }
    top.finish(mistakes);
    let sidecar_cluster = sidecar_cluster.unwrap_or_default();
    let role = role?;
    Some(Config {
        resolvers,
        wants,
        sidecar_cluster,
        sidecar_tokens,
        ca_clusters,
        role,
        entry_point,
        redirect,
        engine,
        warnings,
    })
}

fn role(node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> Option<Role> {
    let roles = [("auto", Role::Auto), ("engine", Role::Engine), ("responder", Role::Responder)];
    node.choice(&roles, mistakes)
}

/// `sidecar`.
#[derive(Default)]
struct Sidecar {
    cluster: Option<String>,
    tokens: Vec<SecretText>,
}

fn sidecar(node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> Option<Sidecar> {
    let mut table = node.table(mistakes)?;
    let cluster = match table.take("cluster") {
        Some(node) => node.text("the name of an Envoy cluster", mistakes),
        None => {
            mistakes.push(table.missing("cluster", "the name of the Envoy cluster of the sidecar's API"));
            None
        }
    };
    let tokens = table.take("token").map(|node| tokens(&node, mistakes)).unwrap_or_default();
    table.finish(mistakes);
    Some(Sidecar { cluster, tokens })
}

/// `sidecar.token`: one token or, during a rotation, a list with the new one first.
fn tokens(node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> Vec<SecretText> {
    if !node.value().is_array() {
        return token(node, mistakes).into_iter().collect();
    }
    let items = node.items(TOKEN, mistakes);
    if items.is_empty() || items.len() > MAX_TOKENS {
        mistakes.push(node.mistake(&format!("1 to {MAX_TOKENS} tokens, the new one first")));
    }
    items.iter().filter_map(|node| token(node, mistakes)).collect()
}

/// A token that is valid in a header. A mistake describes the fault, and never quotes the text.
fn token(node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> Option<SecretText> {
    let text = node.value().as_str().map(str::trim).unwrap_or_default();
    let is_token = is_token(text);
    if !is_token {
        mistakes.push(Mistake { found: "something else".to_owned(), ..node.mistake(TOKEN) });
    }
    is_token.then(|| SecretText::new(text.to_owned()))
}

fn ca_clusters(node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> Vec<CaCluster> {
    let entries = node.entries(mistakes);
    let mut clusters = Vec::new();
    for (authority, node) in entries {
        let Some(origin) = Origin::from_authority(&authority) else {
            mistakes.push(node.mistake_in_key("a CA's host, or host:port"));
            continue;
        };
        let Some(cluster) = node.text("the name of an Envoy cluster", mistakes) else { continue };
        if clusters.iter().any(|known: &CaCluster| known.origin == origin) {
            let found = "the origin of another entry".to_owned();
            mistakes.push(Mistake { found, ..node.mistake("each CA's host and port once") });
        }
        clusters.push(CaCluster { origin, cluster });
    }
    clusters
}
