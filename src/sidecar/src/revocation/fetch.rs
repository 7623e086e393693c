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

/// The largest list, in bytes: those of CAs that don't split theirs have some 10 MiB after a mass revocation.
const MAX_BODY: usize = 20 * 1024 * 1024;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long all of it may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Fetches lists.
pub(super) struct Fetcher {
    client: Client,
    allow_private: bool,
}

/// Why there is no list.
#[derive(Debug)]
pub(super) enum FetchError {
    /// It leads inside.
    NotPublic,
    /// It leads to this port, where something else than a web server may listen.
    Port(u16),
    /// The server or the network failed.
    Request(reqwest::Error),
    /// The server answered with this.
    Status(StatusCode),
    /// It is larger than what is read.
    TooLarge,
    /// It is no URL that is fetched.
    Url,
}

impl Fetcher {
    /// One that goes to public addresses and the schemes' own ports only, or to any.
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

    /// The list at a URL, as it is.
    pub(super) async fn fetch(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or(FetchError::Url)?;
        let host = url.host_str().ok_or(FetchError::Url)?;
        // An address is not resolved.
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
        // The answer to who goes there is another matter: nothing listens.
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
