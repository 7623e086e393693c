//! Fetches a revocation list.
//!
//! Promises: http or https, no redirect, no proxy, a bounded body within a bounded time, and only public addresses unless
//! others are allowed.

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
    /// One that goes to public addresses only, or to any.
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
