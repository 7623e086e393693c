//! Fetches a revocation list.
//!
//! Promises: http or https, no redirect, no proxy, a bounded body within a bounded time, and only public addresses and the
//! schemes' own ports unless others are allowed.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use super::address::{Public, is_public};

/// The largest list, in bytes: CAs that don't shard theirs reach some 10 MiB after a mass revocation.
const MAX_BODY: usize = 20 * 1024 * 1024;
/// The timeout of a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// The timeout of a whole request.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Fetches lists.
pub(super) struct Fetcher {
    client: Client,
    allow_private: bool,
}

/// Reasons why a list could not be fetched.
#[derive(Debug)]
pub(super) enum FetchError {
    /// The URL leads to an address that is not public.
    NotPublic,
    /// The URL leads to this port, which is not a web server's own: another service may listen there.
    Port(u16),
    /// The server or the network failed.
    Request(reqwest::Error),
    /// The server answered with this status.
    Status(StatusCode),
    /// The list is larger than [`MAX_BODY`].
    TooLarge,
    /// The URL can't be used.
    Url,
}

impl Fetcher {
    /// Creates a fetcher limited to public addresses and the schemes' own ports, or without that limit.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub(super) fn new(allow_private: bool) -> Result<Self, reqwest::Error> {
        let agent = concat!("envoy-autocert/", env!("CARGO_PKG_VERSION"));
        let mut client = Client::builder().redirect(Policy::none()).no_proxy().user_agent(agent);
        client = client.connect_timeout(CONNECT).timeout(TIMEOUT);
        if !allow_private {
            client = client.dns_resolver(Public);
        }
        Ok(Self { client: client.build()?, allow_private })
    }

    /// Fetches the list at a URL; returns its bytes unparsed.
    pub(super) async fn fetch(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or(FetchError::Url)?;
        let host = url.host_str().ok_or(FetchError::Url)?;
        // A literal address is never resolved, so it is checked here.
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if !self.allow_private && literal.is_ok_and(|address| !is_public(address)) {
            return Err(FetchError::NotPublic);
        }
        if let (false, Some(port)) = (self.allow_private, url.port()) {
            return Err(FetchError::Port(port));
        }
        let mut response = self.client.get(url).send().await.map_err(FetchError::Request)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(FetchError::Request)? {
            if body.len().saturating_add(piece.len()) > MAX_BODY {
                return Err(FetchError::TooLarge);
            }
            body.extend(piece);
        }
        Ok(body)
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPublic => f.write_str(
                "it leads to an address that is not public, and a CA's URL is not followed there; \
                 --crl-allow-private allows it",
            ),
            Self::Port(port) => write!(
                f,
                "it leads to port {port}, and a CA's URL is followed only to 80 (http) and 443 (https); \
                 --crl-allow-private allows others",
            ),
            Self::Request(error) => {
                let mut source = std::error::Error::source(error);
                error.fmt(f)?;
                while let Some(cause) = source {
                    write!(f, ": {cause}")?;
                    source = cause.source();
                }
                Ok(())
            }
            Self::Status(status) => {
                write!(f, "the server answered {status}; expected 200 OK (redirects are not followed)")
            }
            Self::TooLarge => write!(f, "it has more than {MAX_BODY} bytes"),
            Self::Url => f.write_str("expected a URL like http://host/path"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    async fn refusal(url: &str, allow_private: bool) -> FetchError {
        Fetcher::new(allow_private).unwrap().fetch(url).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_public_host_is_asked_on_the_schemes_port_alone() {
        for url in ["http://1.1.1.1:6379/", "http://ca.example:443/", "https://[2606:4700::1111]:8443/"] {
            let error = refusal(url, false).await;
            assert!(matches!(error, FetchError::Port(_)), "{url}: {error}");
        }
        // Nothing listens where the permitted fetcher goes.
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(matches!(refusal(&format!("http://{taken}/"), true).await, FetchError::Request(_)));
    }

    #[tokio::test]
    async fn an_address_inside_is_told_apart_from_a_port() {
        for url in ["http://127.0.0.1:6379/", "http://0x7f.1/", "http://[64:ff9b:1:a00:0:100::]/"] {
            let error = refusal(url, false).await;
            assert!(matches!(error, FetchError::NotPublic), "{url}: {error}");
        }
    }
}
