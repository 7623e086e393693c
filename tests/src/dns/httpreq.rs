//! A bridge from lego's `httpreq` to pebble-challtestsrv.
//!
//! `POST /present` and `POST /cleanup` with `fqdn` and `value` in JSON, and a user's name and password:
//! <https://go-acme.github.io/lego/dns/httpreq/>.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::background::Background;
use crate::Challtestsrv;

/// A running bridge.
#[derive(Debug)]
pub struct HttpReq {
    _server: Background,
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl HttpReq {
    /// The user name.
    pub const USERNAME: &str = "bridge-user";

    /// The password: a word that stands nowhere else, so that a test can look for it in logs.
    pub const PASSWORD: &str = "nobody-may-ever-see-this-password";

    /// Starts the program.
    ///
    /// # Errors
    /// When the server can't listen.
    pub fn start(dns: &Challtestsrv) -> Result<Self> {
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let records = dns.records();
        let noted = requests.clone();
        let expected = format!("Basic {}", STANDARD.encode(format!("{}:{}", Self::USERNAME, Self::PASSWORD)));
        let (server, address) = Background::serve(move |head, body| {
            let given = head.headers.get("authorization").and_then(|value| value.to_str().ok());
            if given != Some(expected.as_str()) {
                return Ok((401, json!({ "error": "wrong user or password" })));
            }
            let part = |name: &str| body[name].as_str().with_context(|| format!("no {name}"));
            let name = part("fqdn")?;
            let value = part("value")?;
            noted.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{} {name}", head.uri.path()));
            match head.uri.path() {
                "/present" => records.set_text(name, value)?,
                "/cleanup" => records.clear_text(name)?,
                _ => return Ok((404, Value::Null)),
            }
            Ok((200, json!({})))
        })?;
        Ok(Self { _server: server, address, requests })
    }

    /// lego's variables for this server.
    pub fn environment(&self) -> Vec<(String, String)> {
        let variables = [
            ("HTTPREQ_ENDPOINT", format!("http://{}", self.address)),
            ("HTTPREQ_USERNAME", Self::USERNAME.to_owned()),
            ("HTTPREQ_PASSWORD", Self::PASSWORD.to_owned()),
        ];
        variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// The requests taken: path and name.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
