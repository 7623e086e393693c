//! What is to be set up: entry points, resolvers, routers and services, free of the form they were written in.
//!
//! A [`Setup`] has no mistake: every name it refers to is there, every rule is parsed, every address has a port.

use std::collections::BTreeMap;
use std::time::Duration;

use config::Resolver;
use config::rule::{Rule, Syntax};
use serde_json::{Map, Value};

use config::mac_key::MacKey;

/// All of it. Every list is sorted by name, so that equal setups render equally.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Setup {
    /// `entryPoints`: the listeners.
    pub entry_points: Vec<EntryPoint>,
    /// `certificatesResolvers`, as types.
    pub resolvers: Vec<Resolver>,
    /// The same as the user wrote it, with canonical keys: what the plugin gets. `eab.hmacEncoded` is taken out, since
    /// Envoy shows its configuration to whoever asks its admin interface.
    pub resolver_options: Map<String, Value>,
    /// `eab.hmacEncoded` of the resolvers that have it, for the sidecar.
    pub mac_keys: BTreeMap<String, MacKey>,
    /// `http.routers`.
    pub http_routers: Vec<HttpRouter>,
    /// `tcp.routers`.
    pub tcp_routers: Vec<TcpRouter>,
    /// `http.services`, by name.
    pub http_services: BTreeMap<String, HttpService>,
    /// `tcp.services`, by name.
    pub tcp_services: BTreeMap<String, TcpService>,
    /// `tls.options`, by name; `default` is for whoever names none.
    pub tls_options: BTreeMap<String, TlsOptions>,
    /// `tls.certificates`: certificates of the user's own.
    pub certificates: Vec<PairOfFiles>,
    /// `tls.stores.default.defaultCertificate`: what is served for names that nothing covers.
    pub default_certificate: Option<PairOfFiles>,
}

/// A listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryPoint {
    /// Its name.
    pub name: String,
    /// The address it listens on: an IP address, `0.0.0.0` when the user gave a port only.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// `http.redirections.entryPoint`: everything that no challenge answers is redirected.
    pub redirect: Option<Redirect>,
    /// `http.encodedCharacters`: which characters a path may have encoded.
    pub encoded: EncodedCharacters,
    /// `http.underscoreHeadersStrategy`.
    pub underscore_headers: UnderscoreHeaders,
    /// `transport.respondingTimeouts`.
    pub timeouts: Timeouts,
}

/// How long clients may take; none is as long as they want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// `readTimeout`: a whole request, with its body.
    pub read: Option<Duration>,
    /// `writeTimeout`: a whole answer.
    pub write: Option<Duration>,
    /// `idleTimeout`: between requests.
    pub idle: Option<Duration>,
}

impl Default for Timeouts {
    /// Traefik's.
    fn default() -> Self {
        Self { read: Some(Duration::from_secs(60)), write: None, idle: Some(Duration::from_secs(180)) }
    }
}

/// Which characters a path may have encoded, each of which a server may take for the character itself. None, unless the
/// user says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncodedCharacters {
    /// `%2F`
    pub slash: bool,
    /// `%5C`
    pub back_slash: bool,
    /// `%3B`
    pub semicolon: bool,
    /// `%25`
    pub percent: bool,
    /// `%3F`
    pub question_mark: bool,
    /// `%23`
    pub hash: bool,
}

/// What becomes of headers with an underscore in their names, which many servers take for a hyphen. Those that say what
/// only a proxy may say are removed in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnderscoreHeaders {
    /// They are removed.
    Delete,
    /// They are passed on.
    #[default]
    Keep,
    /// Their requests are refused.
    Reject,
}

/// Where an entry point sends everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// `https` unless the user said `http`.
    pub scheme: String,
    /// The port of the target.
    pub port: u16,
    /// The port of the target for who names this entry point's own port, and so comes by no mapping of ports. None where
    /// it is the same for everybody.
    pub unmapped: Option<u16>,
    /// 301 or 308, rather than 302 or 307.
    pub permanent: bool,
}

/// An HTTP router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRouter {
    /// Its name.
    pub name: String,
    /// The entry points it is on; never empty.
    pub entry_points: Vec<String>,
    /// The rule as the user wrote it.
    pub rule_text: String,
    /// The same, parsed.
    pub rule: Rule,
    /// The syntax it is in, which says what its paths and regular expressions mean.
    pub syntax: Syntax,
    /// Higher goes first. Traefik's default is the length of the rule.
    pub priority: i64,
    /// What becomes of its requests.
    pub target: Target,
    /// It takes TLS connections only; `None`, plaintext only (Traefik's rule).
    pub tls: Option<RouterTls>,
}

/// What becomes of the requests of a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// They are answered with this status, as by a service of Traefik's own.
    Answer(u16),
    /// They are refused. The router keeps its place and priority, so that no other one gets them.
    Closed,
    /// They go to the service of this name in [`Setup::http_services`].
    Service(String),
}

/// How a router does TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterTls {
    /// The resolver that gets its certificates. `None`: the user's own certificates or the default one are served.
    pub resolver: Option<String>,
    /// The names of each certificate, as the plugin reads them; the first is the main one. They name the SDS secrets too.
    pub certificates: Vec<Vec<String>>,
    /// The router's key among those that want certificates.
    pub(crate) key: Option<String>,
    /// The name of its options in [`Setup::tls_options`].
    pub options: Option<String>,
}

/// A TCP router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpRouter {
    /// Its name.
    pub name: String,
    /// The entry points it is on; never empty.
    pub entry_points: Vec<String>,
    /// The rule as the user wrote it.
    pub rule_text: String,
    /// The names it is for (`HostSNI`); empty for every name and for connections without one.
    pub server_names: Vec<String>,
    /// Higher goes first.
    pub priority: i64,
    /// The name of its service in [`Setup::tcp_services`]; none when it is closed, and its connections with it.
    pub service: Option<String>,
    /// It takes TLS connections only.
    pub tls: Option<TcpTls>,
}

/// How a TCP router does TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpTls {
    /// The server behind it does.
    Passthrough,
    /// Envoy does.
    Terminate(RouterTls),
}

/// Where HTTP requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpService {
    /// The servers; never empty.
    pub servers: Vec<HttpServer>,
    /// `passHostHeader`: the server gets the client's `Host`, as Traefik does it unless told otherwise.
    pub pass_host_header: bool,
}

/// An upstream HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpServer {
    /// TLS to the server (`https`).
    pub tls: bool,
    /// HTTP/2 without TLS (`h2c`).
    pub h2c: bool,
    /// A DNS name or an IP address, IPv6 without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its share of the requests among its siblings.
    pub weight: u32,
}

/// Where TCP connections go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpService {
    /// The servers; never empty.
    pub servers: Vec<TcpServer>,
}

/// An upstream TCP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpServer {
    /// A DNS name or an IP address, IPv6 without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// TLS to the server.
    pub tls: bool,
}

/// Parameters of TLS connections from clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// `minVersion`.
    pub min_version: Option<TlsVersion>,
    /// `maxVersion`.
    pub max_version: Option<TlsVersion>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.0
    V1_0,
    /// 1.1
    V1_1,
    /// 1.2
    V1_2,
    /// 1.3
    V1_3,
}

/// A certificate of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairOfFiles {
    /// `certFile`: the chain in PEM.
    pub cert_file: String,
    /// `keyFile`: its key in PEM.
    pub key_file: String,
}
