//! Answers the CA's HTTP-01 requests (RFC 8555 §8.3), and nothing else.
//!
//! A request is answered when all of it fits: the method is GET or HEAD, the path is exactly
//! `/.well-known/acme-challenge/` and a token, no query, and a live challenge has this token and this host. Any other
//! request goes on down the filter chain untouched, so nobody can use the path to get around a filter that comes later.

use crate::authority::host;
use crate::challenges;
use crate::context::Context;

/// The path that the CA asks for, without the token.
pub(crate) const PREFIX: &str = "/.well-known/acme-challenge/";

/// The response code's details in Envoy's access log.
const DETAILS: &str = "envoy_autocert_http_01";

/// Headers of the answer. RFC 8555 asks for this content type; the rest keeps a browser from making anything of it and
/// a cache from keeping it.
const HEADERS: &[(&str, &str)] = &[
    ("content-type", "application/octet-stream"),
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
];

/// Answers the request that is being decoded now, if it asks for a live challenge. Returns whether it did.
pub(crate) fn answer(context: &Context, path: &str) -> bool {
    let Context { proxy, shared, .. } = context;
    let Some(token) = token(path) else { return false };
    if !proxy.request_header(":method").is_some_and(|method| method == "GET" || method == "HEAD") {
        return false;
    }
    let Some(host) = proxy.request_header(":authority").and_then(|authority| host(&authority)) else { return false };
    let Some(key_authorization) = challenges::find(shared, token, &host, context.now_seconds()) else { return false };
    // For a HEAD request, Envoy sends the length of this body and leaves the body out.
    proxy.respond(200, HEADERS, key_authorization.as_bytes(), DETAILS).is_ok()
}

/// The token of a path that asks for one. Tokens are 128 bit or more in base64url (RFC 8555 §8.3).
fn token(path: &str) -> Option<&str> {
    let token = path.strip_prefix(PREFIX)?;
    let fits = (22..=128).contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    fits.then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_path_holds_a_token() {
        let good = "/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
        assert_eq!(token(good), Some("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"));
        for bad in [
            "/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA?x=1",
            "/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA/",
            "/.well-known/acme-challenge//evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA",
            "//.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA",
            "/.well-known/acme-challenge/../acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA",
            "/%2ewell-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA",
            "/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ%2DPCt92wr-oA",
            "/.WELL-KNOWN/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA",
            "http://a.example/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA",
            "/.well-known/acme-challenge/short",
            "/.well-known/acme-challenge/",
            "/",
            "",
        ] {
            assert_eq!(token(bad), None, "{bad}");
        }
        assert_eq!(token(&format!("{PREFIX}{}", "a".repeat(129))), None);
    }
}
