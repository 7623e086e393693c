//! `middlewares`: steps that requests and connections pass on their way to a service.
//!
//! None of them is supported. Their kinds are read all the same: a router whose middleware could have refused a request
//! is closed.

use schemars::JsonSchema;
use serde::Deserialize;

use super::left_out::{LeftOut, left_out};

/// A middleware for requests: exactly one of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Middleware {
    /// Other middlewares, in their order.
    pub chain: Option<Chain>,
    /// Traefik's: headers and hosts.
    pub headers: Option<Headers>,
    /// Traefik's: bodies are buffered.
    pub buffering: Option<Buffering>,
    /// Traefik's: another path. Its routers are closed.
    pub add_prefix: Option<LeftOut>,
    /// Traefik's: asks for a password. Its routers are closed.
    pub basic_auth: Option<LeftOut>,
    /// Traefik's: refuses requests while a service fails. Its routers are closed.
    pub circuit_breaker: Option<LeftOut>,
    /// Traefik's: answers are compressed. Left out.
    pub compress: Option<LeftOut>,
    /// Traefik's: a content type is guessed. Left out.
    pub content_type: Option<LeftOut>,
    /// Traefik's: asks for a password. Its routers are closed.
    pub digest_auth: Option<LeftOut>,
    /// Traefik's: refuses paths with encoded characters. Its routers are closed; entry points have the same.
    pub encoded_characters: Option<LeftOut>,
    /// Traefik's: error pages. Left out.
    pub errors: Option<LeftOut>,
    /// Traefik's: another server is asked. Its routers are closed.
    pub forward_auth: Option<LeftOut>,
    /// Traefik's: gRPC for browsers. Left out.
    pub grpc_web: Option<LeftOut>,
    /// Traefik's: refuses requests beyond a number. Its routers are closed.
    pub in_flight_req: Option<LeftOut>,
    /// Traefik's: refuses addresses. Its routers are closed.
    pub ip_allow_list: Option<LeftOut>,
    /// Traefik's: refuses addresses. Its routers are closed.
    pub ip_white_list: Option<LeftOut>,
    /// Traefik's: tells servers of client certificates. Left out, as nobody shows one.
    #[serde(rename = "passTLSClientCert")]
    pub pass_tls_client_cert: Option<LeftOut>,
    /// Traefik's: anything. Its routers are closed.
    pub plugin: Option<LeftOut>,
    /// Traefik's: refuses requests beyond a rate. Its routers are closed.
    pub rate_limit: Option<LeftOut>,
    /// Traefik's: another URL. Its routers are closed.
    pub redirect_regex: Option<LeftOut>,
    /// Traefik's: another scheme. Its routers are closed.
    pub redirect_scheme: Option<LeftOut>,
    /// Traefik's: another path. Its routers are closed.
    pub replace_path: Option<LeftOut>,
    /// Traefik's: another path. Its routers are closed.
    pub replace_path_regex: Option<LeftOut>,
    /// Traefik's: failed requests are sent again. Left out.
    pub retry: Option<LeftOut>,
    /// Traefik's: another path. Its routers are closed.
    pub strip_prefix: Option<LeftOut>,
    /// Traefik's: another path. Its routers are closed.
    pub strip_prefix_regex: Option<LeftOut>,
}

/// Other middlewares.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Chain {
    /// The middlewares' names.
    pub middlewares: Option<Vec<String>>,
}

/// Headers and hosts.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&[
    "accessControlAllowCredentials", "accessControlAllowHeaders", "accessControlAllowMethods",
    "accessControlAllowOriginList", "accessControlAllowOriginListRegex", "accessControlExposeHeaders",
    "accessControlMaxAge", "addVaryHeader", "browserXssFilter", "contentSecurityPolicy",
    "contentSecurityPolicyReportOnly", "contentTypeNosniff", "customBrowserXSSValue", "customFrameOptionsValue",
    "customResponseHeaders", "featurePolicy", "forceSTSHeader", "frameDeny", "hostsProxyHeaders", "isDevelopment",
    "permissionsPolicy", "publicKey", "referrerPolicy", "sslProxyHeaders", "stsIncludeSubdomains", "stsPreload",
    "stsSeconds",
]))]
pub struct Headers {
    /// Traefik's: refuses other hosts. Its routers are closed.
    pub allowed_hosts: Option<LeftOut>,
    /// Traefik's: headers that servers trust. Its routers are closed.
    pub custom_request_headers: Option<LeftOut>,
    /// Traefik 2's: another host. Its routers are closed.
    pub ssl_force_host: Option<LeftOut>,
    /// Traefik 2's: another host. Its routers are closed.
    pub ssl_host: Option<LeftOut>,
    /// Traefik 2's: another scheme. Its routers are closed.
    pub ssl_redirect: Option<LeftOut>,
    /// Traefik 2's: another scheme. Its routers are closed.
    pub ssl_temporary_redirect: Option<LeftOut>,
}

/// Bodies are buffered.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["memRequestBodyBytes", "memResponseBodyBytes", "retryExpression"]))]
pub struct Buffering {
    /// Traefik's: refuses longer requests. Its routers are closed.
    pub max_request_body_bytes: Option<LeftOut>,
    /// Traefik's: refuses longer answers. Its routers are closed.
    pub max_response_body_bytes: Option<LeftOut>,
}

/// A middleware for connections: exactly one of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpMiddleware {
    /// Traefik's: refuses connections beyond a number. Its routers are closed.
    pub in_flight_conn: Option<LeftOut>,
    /// Traefik's: refuses addresses. Its routers are closed.
    pub ip_allow_list: Option<LeftOut>,
    /// Traefik's: refuses addresses. Its routers are closed.
    pub ip_white_list: Option<LeftOut>,
}
