//! The setup: entry points, resolvers, routers and services, independent of the form they were written in.
//!
//! A [`Setup`] has no mistake: every name it refers to exists, every rule is parsed, every address has a port.

use std::collections::BTreeMap;
use std::time::Duration;

use config::Resolver;
use config::rule::{Rule, Syntax};
use serde_json::{Map, Value};

use protocol::mac_key::MacKey;

/// The complete setup. Every list is sorted by name, so that equal setups render equally.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Setup {
    /// `entryPoints`: the listeners.
    pub entry_points: Vec<EntryPoint>,
    /// `certificatesResolvers`, as types.
    pub resolvers: Vec<Resolver>,
    /// The resolvers' options as the user wrote them, with canonical keys, for the plugin. `eab.hmacEncoded` is
    /// removed, since Envoy shows its configuration on the admin interface.
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
    /// `tls.options`, by name; `default` is for routers that name none.
    pub tls_options: BTreeMap<String, TlsOptions>,
    /// `tls.certificates`: certificates of the user's own.
    pub certificates: Vec<PairOfFiles>,
    /// `tls.stores.default.defaultCertificate`: the certificate for names that no certificate covers.
    pub default_certificate: Option<PairOfFiles>,
}

/// A listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryPoint {
    /// The entry point's name.
    pub name: String,
    /// The address it listens on: an IP address, `0.0.0.0` when the user gave a port only.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// `http.redirections.entryPoint`: redirects everything except answered challenges.
    pub redirect: Option<Redirect>,
    /// `http.encodedCharacters`: encoded characters that a path may have.
    pub encoded: EncodedCharacters,
    /// `http.underscoreHeadersStrategy`.
    pub underscore_headers: UnderscoreHeaders,
    /// `transport.respondingTimeouts`.
    pub timeouts: Timeouts,
}

/// Timeouts for clients; `None` disables one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// `readTimeout`: a whole request, with its body.
    pub read: Option<Duration>,
    /// `writeTimeout`: a whole response.
    pub write: Option<Duration>,
    /// `idleTimeout`: between requests.
    pub idle: Option<Duration>,
}

impl Default for Timeouts {
    /// Traefik's defaults.
    fn default() -> Self {
        Self { read: Some(Duration::from_secs(60)), write: None, idle: Some(Duration::from_secs(180)) }
    }
}

/// Encoded characters that a path may have; a server may take each of them for the character itself. None by default.
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

/// Handling of headers with an underscore in their names, which many servers take for a hyphen. Headers that only a
/// proxy may set are removed in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnderscoreHeaders {
    /// Removes these headers.
    Delete,
    /// Passes these headers on.
    #[default]
    Keep,
    /// Refuses requests with these headers.
    Reject,
}

/// The redirection of an entry point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// `https` unless the user said `http`.
    pub scheme: String,
    /// The port of the target.
    pub port: u16,
    /// The port of the target for visitors who name this entry point's own port, and so did not come through a port
    /// mapping. `None` if the target is the same for all.
    pub unmapped: Option<u16>,
    /// True for 301 or 308, false for 302 or 307.
    pub permanent: bool,
}

/// An HTTP router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRouter {
    /// The router's name.
    pub name: String,
    /// The entry points of the router; never empty.
    pub entry_points: Vec<String>,
    /// The rule as the user wrote it.
    pub rule_text: String,
    /// The parsed rule.
    pub rule: Rule,
    /// The rule's syntax, which defines the meaning of its paths and regular expressions.
    pub syntax: Syntax,
    /// Higher goes first. Traefik's default is the length of the rule.
    pub priority: i64,
    /// The destination of the router's requests.
    pub target: Target,
    /// `Some` for TLS connections only, `None` for plaintext only (Traefik's rule).
    pub tls: Option<RouterTls>,
}

/// The destination of a router's requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A response with this status, as by a service of Traefik's own.
    Answer(u16),
    /// A refusal. The router keeps its place and priority, so that no other router gets its requests.
    Closed,
    /// The service with this name in [`Setup::http_services`].
    Service(String),
}

/// The TLS settings of a router.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterTls {
    /// The certificates resolver. `None`: the user's own certificates or the default one are served.
    pub resolver: Option<String>,
    /// The names of each certificate, as the plugin reads them, the main name first. SDS secrets have these names too.
    pub certificates: Vec<Vec<String>>,
    /// The router's key among the routers that want certificates.
    pub(crate) key: Option<String>,
    /// The name of the TLS options in [`Setup::tls_options`].
    pub options: Option<String>,
}

/// A TCP router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpRouter {
    /// The router's name.
    pub name: String,
    /// The entry points of the router; never empty.
    pub entry_points: Vec<String>,
    /// The rule as the user wrote it.
    pub rule_text: String,
    /// The server names (`HostSNI`); empty for every name and for connections without one.
    pub server_names: Vec<String>,
    /// Higher goes first.
    pub priority: i64,
    /// The name of the service in [`Setup::tcp_services`]; `None` for a closed router, whose connections are closed.
    pub service: Option<String>,
    /// `Some` for TLS connections only.
    pub tls: Option<TcpTls>,
}

/// The TLS settings of a TCP router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpTls {
    /// TLS is passed through to the server.
    Passthrough,
    /// Envoy terminates TLS.
    Terminate(RouterTls),
}

/// A destination of HTTP requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpService {
    /// The servers; never empty.
    pub servers: Vec<HttpServer>,
    /// `passHostHeader`: the server gets the client's `Host`, as in Traefik by default.
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
    /// The server's port.
    pub port: u16,
    /// The server's weight in load balancing.
    pub weight: u32,
}

/// A destination of TCP connections.
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
    /// The server's port.
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
