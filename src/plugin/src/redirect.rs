//! Redirects plaintext requests to https where that will work: to hosts with a valid certificate in the table of
//! [`crate::certified`]. All others go on down the filter chain untouched.
//!
//! Promises: no request that came by TLS is redirected, as Envoy's own `require_tls` judges it (`x-forwarded-proto`,
//! which Envoy sets and takes over only from proxies that it is told to trust), and none below the path of challenges.
//! The answer has the certificate's own spelling of the host, never the client's, and a path of printable ASCII.

use ::config::{HTTPS_PORT, Redirect, domain};

use crate::authority::host;
use crate::certified;
use crate::context::Context;
use crate::responder::PREFIX;

/// The response code's details in Envoy's access log.
const DETAILS: &str = "envoy_autocert_redirect";

/// The longest that a browser or cache may keep a redirect, in seconds: the host may have no certificate one day.
const MAX_AGE: i64 = 3_600;

/// Redirects the request that is being decoded now, if its host is certified. Returns whether it did.
pub(crate) fn answer(context: &Context, redirect: Redirect, path: &str) -> bool {
    let header = |name| context.proxy.request_header(name);
    if !is_plain(path) || header("x-forwarded-proto").is_none_or(|scheme| scheme != "http") {
        return false;
    }
    let Some(name) = header(":authority").and_then(|authority| name(&authority)) else { return false };
    let now = context.now_seconds();
    let Some(not_after) = certified::not_after(&context.shared, &name, now) else { return false };
    // As in Traefik: only GET may become another method on the way, and only GET does.
    let status = match header(":method").as_deref() {
        Some("GET") => 301,
        // A tunnel is not led anywhere.
        None | Some("CONNECT") => return false,
        Some(_) => 308,
    };
    let location = location(&name, redirect.port, path);
    let age = format!("max-age={}", not_after.saturating_sub(now).min(MAX_AGE));
    context.proxy.respond(status, &[("location", &location), ("cache-control", &age)], b"", DETAILS).is_ok()
}

/// True if the path can stand in a header as it is, and is no challenge's: those are passed on to other responders.
fn is_plain(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with(PREFIX) && path.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The host of an `:authority`, as certificates name it.
fn name(authority: &str) -> Option<String> {
    let name = domain::parse(&host(authority)?).ok()?.name;
    (!name.starts_with('*')).then_some(name)
}

fn location(name: &str, port: u16, path: &str) -> String {
    let host = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
    match port {
        HTTPS_PORT => format!("https://{host}{path}"),
        port => format!("https://{host}:{port}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_location_is_the_same_host_and_path_by_https() {
        assert_eq!(location("a.example", 443, "/b?c=d"), "https://a.example/b?c=d");
        assert_eq!(location("a.example", 8443, "//b"), "https://a.example:8443//b");
        assert_eq!(location("2001:db8::1", 443, "/"), "https://[2001:db8::1]/");
        assert_eq!(location("192.0.2.1", 8443, "/"), "https://192.0.2.1:8443/");
    }

    #[test]
    fn the_host_is_read_as_certificates_name_it() {
        for (authority, expected) in [
            ("A.Example:80", Some("a.example")),
            ("a.example.:8080", Some("a.example")),
            ("b\u{fc}cher.example", Some("xn--bcher-kva.example")),
            ("XN--bcher-KVA.example", Some("xn--bcher-kva.example")),
            ("[2001:DB8:0::1]:80", Some("2001:db8::1")),
            ("[::ffff:192.0.2.1]", Some("192.0.2.1")),
            ("192.0.2.1:80", Some("192.0.2.1")),
            ("*.a.example", None),
            ("a.example/b", None),
            ("user@a.example", None),
            ("a.example\r\nx: y", None),
            ("a..example", None),
            ("", None),
        ] {
            assert_eq!(name(authority).as_deref(), expected, "{authority}");
        }
    }

    #[test]
    fn only_a_plain_path_is_led_anywhere() {
        for path in ["/", "/a?b=c&d=%0d%0a", "//b.example/", "/.well-known/acme-challenges/"] {
            assert!(is_plain(path), "{path}");
        }
        for path in
            ["", "*", "a", "/a b", "/a\r\nset-cookie: b", "/\u{e4}", "/.well-known/acme-challenge/x", "http://a/"]
        {
            assert!(!is_plain(path), "{path}");
        }
    }
}
