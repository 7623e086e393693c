//! `entryPoints.<name>`: the ports that Envoy listens on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::resolvers::Period;
use super::{Domain, left_out};

/// A port that Envoy listens on.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&[
    "allowACMEByPass", "forwardedHeaders", "http2", "http3", "observability", "proxyProtocol", "reusePort", "udp",
]))]
pub struct EntryPoint {
    /// Where it listens: `:80`, `192.0.2.1:443` or `[2001:db8::1]:443`, with `/tcp` behind it or nothing.
    pub address: Option<String>,
    /// Routers that name no entry point are on this one, and on the others that say so; if none does, on all.
    pub as_default: Option<bool>,
    /// What holds for all HTTP routers on it.
    pub http: Option<EntryPointHttp>,
    /// What holds for its connections.
    pub transport: Option<Transport>,
}

/// What holds for the connections of an entry point.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["keepAliveMaxRequests", "keepAliveMaxTime", "lifeCycle"]))]
pub struct Transport {
    /// How long clients may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responding_timeouts: Option<RespondingTimeouts>,
}

/// How long clients may take: seconds, or as 1m30s; 0 is as long as they want.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct RespondingTimeouts {
    /// For a whole request with its body. The default is 60s. The first bytes, a TLS handshake and a request's head have
    /// 5s, 10s and 10s, or this when it is shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_timeout: Option<Period>,
    /// For a whole answer, from the end of the request on. The default is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_timeout: Option<Period>,
    /// Between the requests of a connection. The default is 180s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Period>,
}

/// What holds for all HTTP routers on an entry point.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["encodeQuerySemicolons", "maxHeaderBytes", "sanitizePath"]))]
pub struct EntryPointHttp {
    /// Where everybody is sent. Challenges are answered nevertheless.
    pub redirections: Option<Redirections>,
    /// TLS for routers that say nothing of it.
    pub tls: Option<EntryPointTls>,
    /// The middlewares that the requests of all its routers pass.
    pub middlewares: Option<Vec<String>>,
    /// Which characters a path may have encoded. None without it; requests with others are refused.
    pub encoded_characters: Option<EncodedCharacters>,
    /// What becomes of headers with an underscore in their names: keep (the default), delete or reject.
    pub underscore_headers_strategy: Option<String>,
}

/// Which characters a path may have encoded.
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

/// Where everybody is sent.
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
    /// Whether browsers may remember it: 301 or 308 rather than 302 or 307. The default is true.
    pub permanent: Option<bool>,
}

/// TLS for routers that say nothing of it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct EntryPointTls {
    /// The resolver that gets their certificates.
    pub cert_resolver: Option<String>,
    /// The certificates to get; without it, one for each router with the names in its rule.
    pub domains: Option<Vec<Domain>>,
    /// The name of their TLS options.
    pub options: Option<String>,
}
