//! `entryPoints.<name>`: the ports that Envoy listens on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::left_out::left_out;
use super::resolvers::Period;
use super::shared::Domain;

/// A port that Envoy listens on.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&[
    "allowACMEByPass", "forwardedHeaders", "http2", "http3", "observability", "proxyProtocol", "reusePort", "udp",
]))]
pub struct EntryPoint {
    /// Address to listen on: `:80`, `192.0.2.1:443` or `[2001:db8::1]:443`, optionally followed by `/tcp`.
    pub address: Option<String>,
    /// Routers that name no entry point are on the entry points with asDefault; if none has it, on all.
    pub as_default: Option<bool>,
    /// Settings for all HTTP routers on this entry point.
    pub http: Option<EntryPointHttp>,
    /// Settings for the connections of this entry point.
    pub transport: Option<Transport>,
}

/// Settings for the connections of an entry point.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["keepAliveMaxRequests", "keepAliveMaxTime", "lifeCycle"]))]
pub struct Transport {
    /// Timeouts for clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responding_timeouts: Option<RespondingTimeouts>,
}

/// Timeouts for clients: seconds, or as 1m30s; 0 disables a timeout.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct RespondingTimeouts {
    /// Timeout for reading a whole request with its body. The default is 60s. The first bytes, a TLS handshake and a
    /// request's headers have 5s, 10s and 10s, or this timeout when it is shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_timeout: Option<Period>,
    /// Timeout for a whole response, from the end of the request on. The default is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_timeout: Option<Period>,
    /// Timeout between the requests of a connection. The default is 180s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Period>,
}

/// Settings for all HTTP routers on an entry point.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["encodeQuerySemicolons", "maxHeaderBytes", "sanitizePath"]))]
pub struct EntryPointHttp {
    /// Redirection of all requests. Challenges are still answered.
    pub redirections: Option<Redirections>,
    /// TLS for routers without a tls section.
    pub tls: Option<EntryPointTls>,
    /// The middlewares that the requests of all routers on this entry point pass.
    pub middlewares: Option<Vec<String>>,
    /// Encoded characters that a path may have; without this section none. Requests with others are refused.
    pub encoded_characters: Option<EncodedCharacters>,
    /// Handling of headers with an underscore in their names: keep (the default), delete or reject.
    pub underscore_headers_strategy: Option<String>,
}

/// Encoded characters that a path may have.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct EncodedCharacters {
    /// %2F, which a server may take for the end of a segment.
    pub allow_encoded_slash: Option<bool>,
    /// %5C, which a server may take for the end of a segment.
    pub allow_encoded_back_slash: Option<bool>,
    /// %00. Envoy refuses it in any case.
    pub allow_encoded_null_character: Option<bool>,
    /// %3B
    pub allow_encoded_semicolon: Option<bool>,
    /// %25, with which any other can be encoded twice.
    pub allow_encoded_percent: Option<bool>,
    /// %3F
    pub allow_encoded_question_mark: Option<bool>,
    /// %23
    pub allow_encoded_hash: Option<bool>,
}

/// Redirection of all requests.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Redirections {
    /// To another entry point.
    pub entry_point: Option<RedirectEntryPoint>,
}

/// A redirection to another entry point.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["priority"]))]
pub struct RedirectEntryPoint {
    /// The name of the entry point, or a port as in `:443`.
    pub to: Option<String>,
    /// `https` (the default) or `http`.
    pub scheme: Option<String>,
    /// Permanent redirection, which browsers may cache: 301 or 308 rather than 302 or 307. The default is true.
    pub permanent: Option<bool>,
}

/// TLS for routers without a tls section.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct EntryPointTls {
    /// The certificates resolver of these routers.
    pub cert_resolver: Option<String>,
    /// The certificates to get; without it, one for each router with the names in its rule.
    pub domains: Option<Vec<Domain>>,
    /// The name of the TLS options of these routers.
    pub options: Option<String>,
}
