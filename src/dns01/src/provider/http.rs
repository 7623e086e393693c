//! An HTTP client for APIs of the user's own: one request, one bounded response.
//!
//! Promises: redirects are not followed; a response is read up to a bound, within a time limit; URLs are shown without
//! parts that may contain a password.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use acme::one_line;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode, Url};

use super::ProviderError;
use super::scrub::Scrub;
use super::table::Row;
use super::values::Values;

/// Maximum size of a response, in bytes: those of these APIs have a few hundred, and a page of HTML is an error.
const MAX_BODY: usize = 64 * 1024;

/// A client for one provider.
pub(super) struct Http {
    code: &'static str,
    client: Client,
    scrub: Scrub,
}

/// A response.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

impl Http {
    pub(super) fn new(row: &'static Row, values: &Values, timeout: Duration) -> Result<Self, ProviderError> {
        let agent = concat!("envoy-autocert/", env!("CARGO_PKG_VERSION"));
        let client = Client::builder().redirect(Policy::none()).timeout(timeout).user_agent(agent).build();
        let client = client.map_err(|error| ProviderError::failed(row.code, chain(&error)))?;
        Ok(Self { code: row.code, client, scrub: Scrub::new(row, values) })
    }

    pub(super) fn get(&self, url: Url) -> RequestBuilder {
        self.client.get(url)
    }

    /// A POST of JSON.
    pub(super) fn post(&self, url: Url, body: String) -> RequestBuilder {
        self.client.post(url).header(CONTENT_TYPE, "application/json").body(body)
    }

    /// Sends a request and reads the response.
    pub(super) async fn send(&self, request: RequestBuilder, url: &Url) -> Result<Answer, ProviderError> {
        let failed = |error: reqwest::Error| {
            ProviderError::failed(self.code, format!("{}: {}", Shown(url), chain(&error.without_url())))
        };
        let mut response = request.header("accept", "application/json").send().await.map_err(failed)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            if body.len() + piece.len() > MAX_BODY {
                let why = format!("{}: the answer is longer than {MAX_BODY} bytes", Shown(url));
                return Err(ProviderError::failed(self.code, why));
            }
            body.extend(piece);
        }
        Ok(Answer { status, body })
    }

    /// The error for a response. Most 4xx codes stay until somebody changes something; the exceptions ask for a retry
    /// (RFC 9110 §15.5.9, RFC 6585 §4).
    pub(super) fn refusal(&self, url: &Url, answer: &Answer) -> ProviderError {
        let text = String::from_utf8_lossy(&answer.body);
        let said = match text.trim() {
            "" => String::new(),
            text => format!(": {}", one_line(&self.scrub.text(text))),
        };
        let why = format!("{} answered {}{said}", Shown(url), answer.status);
        let comes_back = matches!(answer.status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        if answer.status.is_client_error() && !comes_back {
            ProviderError::refused(self.code, why)
        } else {
            ProviderError::failed(self.code, why)
        }
    }
}

/// Parses a base URL from a variable.
pub(super) fn base(row: &Row, variable: &str, text: &str) -> Result<Url, ProviderError> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => {
            let why = format!("the variable {variable}: expected a URL like https://host:port/path");
            Err(ProviderError::configuration(row.code, why))
        }
    }
}

/// A base URL with more segments.
pub(super) fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    // `base` has checked that the URL has a host, so it can be a base.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// Displays a URL without credentials, query and fragment.
pub(super) struct Shown<'a>(pub(super) &'a Url);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(&one_line(self.0.path()))
    }
}

/// The error with its causes: the outermost one has no details.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Many errors repeat their cause.
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    one_line(&text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        let url = Url::parse("https://user:secret@host:8443/a/b?key=secret#secret").unwrap();
        assert_eq!(Shown(&url).to_string(), "https://host:8443/a/b");
    }

    #[test]
    fn segments_are_added_whether_or_not_the_base_ends_in_a_slash() {
        for text in ["http://host/api", "http://host/api/"] {
            assert_eq!(below(&Url::parse(text).unwrap(), &["present"]).as_str(), "http://host/api/present");
        }
        assert_eq!(below(&Url::parse("http://host").unwrap(), &["a b"]).as_str(), "http://host/a%20b");
    }
}
