//! `acme-dns`: Joohoi's server for TXT records, to which a CNAME delegates, <https://github.com/joohoi/acme-dns#api>.
//!
//! As with lego, a domain without an account gets one, and an error names the CNAME to create. The server keeps the
//! latest two values, so those of a domain and its wildcard coexist; none is ever removed.
//!
//! Promises: an account is stored before its CNAME is requested; an unreadable file is never overwritten.

mod account;
mod storage;

use std::time::Duration;

use acme::one_line;
use reqwest::Url;
use serde_json::json;
use tokio::sync::Mutex;

use self::account::Account;
use self::storage::Storage;
use super::ProviderError;
use super::http::{Http, base, below};
use super::record::Record;
use super::table::Row;
use super::values::Values;

/// Lock of registrations: a domain could get two accounts.
static REGISTERING: Mutex<()> = Mutex::const_new(());

/// The server, and the storage of accounts on it.
pub(super) struct AcmeDns {
    row: &'static Row,
    http: Http,
    api: Url,
    /// Networks that new accounts may be used from.
    allowed: Vec<String>,
    storage: Storage,
    /// True if CNAMEs are ignored, so the record's name does not show whether there is one.
    ignores_cnames: bool,
}

impl AcmeDns {
    pub(super) fn new(row: &'static Row, values: &Values, timeout: Duration) -> Result<Self, ProviderError> {
        let http = Http::new(row, values, timeout)?;
        let storage = match (values.get("ACME_DNS_STORAGE_PATH"), values.get("ACME_DNS_STORAGE_BASE_URL")) {
            (Some(_), Some(_)) => {
                let why = "ACME_DNS_STORAGE_PATH and ACME_DNS_STORAGE_BASE_URL are both set: unset one of them";
                return Err(ProviderError::configuration(row.code, why));
            }
            (Some(path), None) => Storage::File(path.into()),
            (None, url) => Storage::Http(base(row, "ACME_DNS_STORAGE_BASE_URL", url.unwrap_or_default())?),
        };
        let allowed = values.get("ACME_DNS_ALLOWLIST").unwrap_or_default();
        Ok(Self {
            row,
            http,
            api: base(row, "ACME_DNS_API_BASE", values.text("ACME_DNS_API_BASE"))?,
            allowed: allowed.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect(),
            storage,
            ignores_cnames: values.flag("LEGO_DISABLE_CNAME_SUPPORT"),
        })
    }

    pub(super) async fn present(&self, record: &Record) -> Result<(), ProviderError> {
        let (account, has_cname) = self.account(&record.domain).await?;
        let target = format!("{}.", account.fulldomain.trim_end_matches('.').to_ascii_lowercase());
        if record.fqdn != target && !has_cname && !self.ignores_cnames {
            return Err(self.misses_cname(&record.domain, &target));
        }
        self.update(&account, &record.value).await
    }

    /// The domain's account, a new one if it has none; and true if its CNAME was created just now.
    async fn account(&self, domain: &str) -> Result<(Account, bool), ProviderError> {
        let _alone = REGISTERING.lock().await;
        if let Some(account) = self.storage.find(self.row.code, &self.http, domain).await? {
            return Ok((account, false));
        }
        let url = below(&self.api, &["register"]);
        let body = if self.allowed.is_empty() { json!({}) } else { json!({ "allowfrom": self.allowed }) };
        let answer = self.http.send(self.http.post(url.clone(), body.to_string()), &url).await?;
        if !answer.status.is_success() {
            return Err(self.http.refusal(&url, &answer));
        }
        let mut account = Account::parse(&answer.body)
            .ok_or_else(|| ProviderError::failed(self.row.code, "the answer to a registration is not acme-dns's"))?;
        account.server_url = Some(self.api.as_str().trim_end_matches('/').to_owned());
        let has_cname = self.storage.keep(self.row.code, &self.http, domain, &account).await?;
        Ok((account, has_cname))
    }

    async fn update(&self, account: &Account, value: &str) -> Result<(), ProviderError> {
        let url = below(&self.api, &["update"]);
        let body = json!({ "subdomain": account.subdomain, "txt": value });
        let request = self.http.post(url.clone(), body.to_string());
        let request = request.header("X-Api-User", &account.username).header("X-Api-Key", account.password.expose());
        let answer = self.http.send(request, &url).await?;
        if answer.status.is_success() { Ok(()) } else { Err(self.http.refusal(&url, &answer)) }
    }

    fn misses_cname(&self, domain: &str, target: &str) -> ProviderError {
        let why = format!(
            "_acme-challenge.{domain} must lead to the account on the server: make this record once, and it is tried \
             again: _acme-challenge.{domain}. CNAME {target}"
        );
        ProviderError::refused(self.row.code, one_line(&why))
    }
}
