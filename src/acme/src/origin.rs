//! Origins that requests may go to: https only, and only those that are known.
//!
//! A CA tells the client most URLs it asks for. One that points elsewhere (to a cloud's metadata service, say) must not
//! be followed, so every URL is checked against the directory's origin and those the user listed.
//!
//! URLs are read with the crate `http`: `url`, which the native crates use, brings the tables of IDNA and would be the
//! largest part of the plugin. A CA's URLs are ASCII (RFC 8555 §6.1 leaves them to RFC 3986), and others are refused.

use http::Uri;

/// The port of an https URL that names none.
const HTTPS_PORT: u16 = 443;

/// Longer URLs are refused: no CA needs them, and they end up in logs and state.
const MAX_URL: usize = 2048;

/// Host and port of an https URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of an absolute https URL without user information or fragment; `None` for any other text.
    pub fn of(url: &str) -> Option<Self> {
        if url.len() > MAX_URL || url.contains('#') || !url.is_ascii() {
            return None;
        }
        let uri: Uri = url.parse().ok()?;
        if uri.scheme_str() != Some("https") {
            return None;
        }
        Self::from_authority(uri.authority()?.as_str())
    }

    /// The origin of `host` or `host:port`, as a user lists it.
    pub fn from_authority(authority: &str) -> Option<Self> {
        let parsed: http::uri::Authority = authority.parse().ok()?;
        if authority.contains('@') || parsed.host().is_empty() {
            return None;
        }
        // A colon with no digits behind it, or digits beyond 65535, are no port.
        let has_port = authority.len() > parsed.host().len();
        let port = if has_port { parsed.port_u16()? } else { HTTPS_PORT };
        Some(Self { host: parsed.host().to_ascii_lowercase(), port })
    }

    /// The host: a name in lower case, or an IP address (IPv6 in brackets).
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The value of a `Host` header: the port only where it is not 443.
    pub fn authority(&self) -> String {
        if self.port == HTTPS_PORT { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

/// The path and query of an absolute URL, `/` when it has none.
pub fn path_and_query(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    Some(uri.path_and_query().map_or("/", |path| path.as_str()).to_owned())
}

/// Resolves a `Location` against the URL it came from: absolute, or an absolute path on the same origin
/// (RFC 3986 §4.2; other relative forms do not occur and are refused).
pub fn resolve(base: &str, location: &str) -> Option<String> {
    if location.starts_with('/') && !location.starts_with("//") {
        let origin = Origin::of(base)?;
        return Some(format!("https://{}{location}", origin.authority()));
    }
    Origin::of(location).map(|_| location.to_owned())
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn default_port_and_case_do_not_matter() {
        assert_eq!(Origin::of("https://CA.example/dir"), Origin::of("https://ca.example:443/other"));
        assert_ne!(Origin::of("https://ca.example/"), Origin::of("https://ca.example:14000/"));
    }

    #[test]
    fn only_plain_https_urls_have_an_origin() {
        for url in [
            "http://ca.example/",
            "https://user@ca.example/",
            "https://user:pw@ca.example/",
            "https://ca.example/#x",
            "https://",
            "https:///path",
            "/path",
            "",
            "ftp://ca.example/",
            "https://ca.example:99999/",
            "https://ca.example:/",
            "https://ca\u{e9}.example/",
        ] {
            assert_eq!(Origin::of(url), None, "{url}");
        }
        assert_eq!(Origin::of(&format!("https://ca.example/{}", "x".repeat(MAX_URL))), None);
    }

    #[test]
    fn ip_addresses_are_hosts() {
        assert_eq!(Origin::of("https://[::1]:14000/dir").unwrap().authority(), "[::1]:14000");
        assert_eq!(Origin::of("https://127.0.0.1/dir").unwrap().authority(), "127.0.0.1");
    }

    #[test]
    fn locations_resolve_against_their_base() {
        let base = "https://ca.example:14000/dir";
        assert_eq!(resolve(base, "/x?y").as_deref(), Some("https://ca.example:14000/x?y"));
        assert_eq!(resolve(base, "https://b.example/x").as_deref(), Some("https://b.example/x"));
        assert_eq!(resolve(base, "//evil.example/x"), None);
        assert_eq!(resolve(base, "x"), None);
    }

    #[test]
    fn the_path_keeps_its_query() {
        assert_eq!(path_and_query("https://ca.example/a/b?c=d").as_deref(), Some("/a/b?c=d"));
        assert_eq!(path_and_query("https://ca.example").as_deref(), Some("/"));
    }
}
