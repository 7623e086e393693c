//! `httpreq`: an HTTP server of the user's creates and removes the record.
//!
//! The requests are lego's: `POST {endpoint}/present` or `/cleanup` with `{"fqdn", "value"}`, or with
//! `HTTPREQ_MODE=RAW` `{"domain", "token", "keyAuth"}`. See <https://go-acme.github.io/lego/dns/httpreq/>.

use std::time::Duration;

use protocol::SecretText;
use reqwest::Url;
use serde_json::json;

use super::ProviderError;
use super::http::{Http, base, below};
use super::record::Record;
use super::table::Row;
use super::values::Values;

/// The user's server.
pub(super) struct HttpReq {
    http: Http,
    endpoint: Url,
    is_raw: bool,
    user: Option<(String, SecretText)>,
}

impl HttpReq {
    pub(super) fn new(row: &'static Row, values: &Values, timeout: Duration) -> Result<Self, ProviderError> {
        // As with lego, a user name without a password is ignored.
        let user = values.get("HTTPREQ_USERNAME").zip(values.get("HTTPREQ_PASSWORD"));
        Ok(Self {
            http: Http::new(row, values, timeout)?,
            endpoint: base(row, "HTTPREQ_ENDPOINT", values.text("HTTPREQ_ENDPOINT"))?,
            is_raw: values.get("HTTPREQ_MODE") == Some("RAW"),
            user: user.map(|(name, word)| (name.to_owned(), SecretText::new(word.to_owned()))),
        })
    }

    /// True if the server chooses the record's name: it gets the challenge's domain.
    pub(super) fn chooses_names(&self) -> bool {
        self.is_raw
    }

    pub(super) async fn present(&self, record: &Record) -> Result<(), ProviderError> {
        self.post("present", record).await
    }

    pub(super) async fn clean_up(&self, record: &Record) -> Result<(), ProviderError> {
        self.post("cleanup", record).await
    }

    async fn post(&self, action: &str, record: &Record) -> Result<(), ProviderError> {
        let body = if self.is_raw {
            json!({ "domain": record.domain, "token": record.token, "keyAuth": record.key_authorization })
        } else {
            json!({ "fqdn": record.fqdn, "value": record.value })
        };
        let url = below(&self.endpoint, &[action]);
        let mut request = self.http.post(url.clone(), body.to_string());
        if let Some((name, word)) = &self.user {
            request = request.basic_auth(name, Some(word.expose()));
        }
        let answer = self.http.send(request, &url).await?;
        if answer.status.is_success() { Ok(()) } else { Err(self.http.refusal(&url, &answer)) }
    }
}
