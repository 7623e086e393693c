//! An account on an acme-dns server, as lego keeps it.

use protocol::SecretText;
use serde_json::{Map, Value};

/// An account: a name for TXT records, and the credentials to write them.
pub(super) struct Account {
    /// The target of the CNAME.
    pub(super) fulldomain: String,
    pub(super) subdomain: String,
    pub(super) username: String,
    pub(super) password: SecretText,
    pub(super) server_url: Option<String>,
}

impl Account {
    /// Parses JSON of the server or of a storage. `None` if it is incomplete.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        Self::from_json(&serde_json::from_slice(text).ok()?)
    }

    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        Some(Self {
            fulldomain: text("fulldomain")?,
            subdomain: text("subdomain")?,
            username: text("username")?,
            password: SecretText::new(text("password")?),
            server_url: text("server_url"),
        })
    }

    pub(super) fn to_json(&self) -> Value {
        let mut members = Map::new();
        let mut put = |name: &str, text: &str| members.insert(name.to_owned(), Value::from(text));
        put("fulldomain", &self.fulldomain);
        put("subdomain", &self.subdomain);
        put("username", &self.username);
        put("password", self.password.expose());
        put("server_url", self.server_url.as_deref().unwrap_or_default());
        Value::Object(members)
    }
}
