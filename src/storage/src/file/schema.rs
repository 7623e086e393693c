//! The text of acme.json: Traefik's schema, with our data in one extra field of each resolver.
//!
//! ```json
//! {"<resolver>": {
//!   "Account": {"Email", "Registration": {"body": {"status", "contact"}, "uri"}, "PrivateKey", "KeyType"},
//!   "Certificates": [{"domain": {"main", "sans"}, "certificate", "key", "Store"}],
//!   "EnvoyAutocert": {"leaseFence", "caServer", "eabKid", "previousAccounts", "progress", "ledgers"}
//! }}
//! ```
//!
//! Fields of other tools are kept. An account's `PrivateKey` is base64 of DER as Traefik has it; for our P-256 keys
//! that is SEC1, and `KeyType` is lego's `P256`. Errors name the place, and never the text there: it may be a key.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::sync::Arc;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD as BASE64;
use engine::ledger::Ledger;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::blank::{BYTE_ORDER_MARK, is_blank};
use crate::record::{Begun, CountedAt};

/// A whole file.
pub(super) type FileIn = BTreeMap<String, ResolverIn>;

/// A resolver as it is read.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ResolverIn {
    #[serde(rename = "Account", deserialize_with = "null_is_default")]
    pub(super) account: Option<AccountEntry>,
    #[serde(rename = "Certificates", deserialize_with = "null_is_default")]
    pub(super) certificates: Vec<Value>,
    #[serde(rename = "EnvoyAutocert", deserialize_with = "null_is_default")]
    pub(super) own_field: OwnField<Vec<PreviousAccount>, Vec<ProgressEntry>>,
    #[serde(flatten)]
    pub(super) extra: Map<String, Value>,
}

/// A resolver as it is written.
#[derive(Serialize)]
pub(super) struct ResolverOut<'a, C: Serialize, A: Serialize, P: Serialize> {
    #[serde(rename = "Account")]
    pub(super) account: Option<&'a AccountEntry>,
    #[serde(rename = "Certificates")]
    pub(super) certificates: C,
    #[serde(rename = "EnvoyAutocert")]
    pub(super) own_field: OwnField<A, P>,
    #[serde(flatten)]
    pub(super) extra: &'a Map<String, Value>,
}

/// Our field of a resolver.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnField<A, P> {
    /// The highest fence given so far. It belongs to no resolver, and so is in each.
    #[serde(default)]
    pub(super) lease_fence: u64,
    /// The directory URL of the account's CA; absent in Traefik's files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ca_server: Option<String>,
    /// The external account that the account is bound to, by its key identifier; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) eab_kid: Option<String>,
    /// Accounts that were in use before: at other CAs, bound to other external accounts, or with keys that can't be
    /// used here.
    #[serde(default)]
    pub(super) previous_accounts: A,
    #[serde(default)]
    pub(super) progress: P,
    /// The ledgers of the account, by the CA's host and port.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) ledgers: BTreeMap<String, LedgerEntry>,
    #[serde(flatten)]
    pub(super) extra: Map<String, Value>,
}

/// An account, as Traefik writes it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AccountEntry {
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) email: String,
    #[serde(default)]
    pub(super) registration: Option<RegistrationEntry>,
    /// Base64 of DER. Secret.
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) private_key: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) key_type: String,
    #[serde(flatten)]
    pub(super) extra: Map<String, Value>,
}

/// An account as the CA knows it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct RegistrationEntry {
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) body: RegistrationBody,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) uri: String,
    #[serde(flatten)]
    pub(super) extra: Map<String, Value>,
}

/// The account object (RFC 8555 §7.1.2).
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct RegistrationBody {
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub(super) status: String,
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub(super) contact: Vec<String>,
    #[serde(flatten)]
    pub(super) extra: Map<String, Value>,
}

/// An account that is not in use.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PreviousAccount {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ca_server: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) eab_kid: Option<String>,
    #[serde(rename = "Account")]
    pub(super) account: AccountEntry,
}

/// A certificate as it is read; the first versions of Traefik wrote the names capitalised.
#[derive(Deserialize)]
pub(super) struct CertificateIn {
    #[serde(alias = "Domain")]
    pub(super) domain: DomainIn,
    #[serde(alias = "Certificate")]
    pub(super) certificate: String,
    #[serde(alias = "Key")]
    pub(super) key: String,
    #[serde(rename = "Store", default, deserialize_with = "null_is_default")]
    pub(super) store: String,
    #[serde(flatten)]
    pub(super) extra: Map<String, Value>,
}

/// The names of a certificate.
#[derive(Deserialize)]
pub(super) struct DomainIn {
    #[serde(alias = "Main")]
    pub(super) main: String,
    #[serde(alias = "SANs", default, deserialize_with = "null_is_default")]
    pub(super) sans: Vec<String>,
    #[serde(flatten)]
    pub(super) extra: Map<String, Value>,
}

/// A certificate as it is written.
#[derive(Serialize)]
pub(super) struct CertificateOut<'a> {
    pub(super) domain: DomainOut<'a>,
    pub(super) certificate: Base64Of<'a>,
    pub(super) key: Base64Of<'a>,
    #[serde(rename = "Store")]
    pub(super) store: &'a str,
    #[serde(flatten)]
    pub(super) extra: &'a Map<String, Value>,
}

/// The names of a certificate.
#[derive(Serialize)]
pub(super) struct DomainOut<'a> {
    pub(super) main: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) sans: &'a [String],
    #[serde(flatten)]
    pub(super) extra: &'a Map<String, Value>,
}

/// The record in progress of one certificate, whose identity is the entry's key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProgressEntry {
    pub(super) names: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) order: Option<protocol::Order>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pending_key: Option<PendingKeyEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) attempt: Option<protocol::Attempt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) begun: Option<Begun>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) counted: Vec<CountedAt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) renewal: Option<protocol::Renewal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unwanted: Option<protocol::Unwanted>,
}

/// A ledger, without a copy of it.
#[derive(Clone)]
pub(super) struct LedgerEntry(pub(super) Arc<Ledger>);

impl Serialize for LedgerEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LedgerEntry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ledger::deserialize(from).map(|ledger| Self(Arc::new(ledger)))
    }
}

/// The key of a certificate that is not there yet.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PendingKeyEntry {
    pub(super) order: String,
    pub(super) key_type: String,
    /// Base64 of PKCS#8 DER. Secret.
    pub(super) key: String,
}

/// A text that is written in base64, without a copy of it.
pub(super) struct Base64Of<'a>(pub(super) &'a str);

impl Serialize for Base64Of<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0.as_bytes(), &BASE64))
    }
}

/// Reads a file. An empty file is a storage too: users make the file with `touch`.
pub(super) fn read(text: &[u8]) -> Result<FileIn, Damage> {
    let file = members(text)?;
    if is_version_1(&file) {
        let what = "Traefik 2's or 3's format, but this is Traefik 1's: take it into another file with \
                    `envoy-autocert import`";
        return Err(Damage { place: "the whole file".into(), what });
    }
    file.into_iter().map(|(name, value)| Ok((name.clone(), resolver(&name, value)?))).collect()
}

/// The members of a file, of any type.
pub(super) fn members(text: &[u8]) -> Result<Map<String, Value>, Damage> {
    if is_blank(text) {
        return Ok(Map::new());
    }
    if text.starts_with(BYTE_ORDER_MARK) {
        return Err(Damage { place: "line 1, column 1".into(), what: "JSON without a byte order mark before it" });
    }
    let whole: Value = serde_json::from_slice(text)
        .map_err(|error| Damage { place: format!("line {}, column {}", error.line(), error.column()), what: "JSON" })?;
    match whole {
        Value::Object(members) => Ok(members),
        _ => Err(Damage { place: "the whole file".into(), what: "an object with a member for each resolver" }),
    }
}

/// Reads a resolver; its name is for errors.
pub(super) fn resolver(name: &str, value: Value) -> Result<ResolverIn, Damage> {
    if value.is_null() {
        return Ok(ResolverIn::default());
    }
    typed(value).map_err(|path| Damage {
        place: if path == "." { name.to_owned() } else { format!("{name}.{path}") },
        what: "Traefik's format of acme.json",
    })
}

/// Reads a value as this type, or names the path that has another shape.
pub(super) fn typed<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| error.path().to_string())
}

/// Version 1 had no resolvers: their members are at the top.
pub(super) fn is_version_1(file: &Map<String, Value>) -> bool {
    let is_list = |name: &str| file.get(name).is_some_and(Value::is_array);
    let is_account = file.get("Account").and_then(Value::as_object).is_some_and(|account| {
        account.contains_key("PrivateKey") || account.contains_key("Registration") || account.contains_key("Email")
    });
    is_list("Certificates") || is_account || is_before_1_6(file)
}

/// Until Traefik 1.6 the file was an account, which held the certificates.
pub(super) fn is_before_1_6(file: &Map<String, Value>) -> bool {
    file.get("DomainsCertificate").is_some_and(|certificates| certificates.get("Certs").is_some())
        || file.get("ChallengeCerts").is_some_and(|challenges| challenges.is_object() || challenges.is_array())
            && file.get("PrivateKey").is_some_and(Value::is_string)
}

/// Writes a file as Traefik does: with an indent of two spaces.
pub(super) fn write(file: &impl Serialize, out: impl Write) -> serde_json::Result<()> {
    serde_json::to_writer_pretty(out, file)
}

/// Go writes empty lists, maps and strings as null.
fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// The place and kind of a fault in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The line and column, or the path of the field.
    pub place: String,
    /// The expected content.
    pub what: &'static str,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}: expected {}", self.place, self.what)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn damage(text: &str) -> String {
        read(text.as_bytes()).err().unwrap().to_string()
    }

    #[test]
    fn nothing_in_it_is_nothing_stored() {
        for empty in ["", "{}", "null", r#"{"le": null}"#, r#"{"le": {"Account": null, "Certificates": null}}"#] {
            let read = read(empty.as_bytes()).ok().unwrap();
            assert!(read.values().all(|resolver| resolver.account.is_none() && resolver.certificates.is_empty()));
        }
    }

    #[test]
    fn what_is_no_json_is_named_by_its_place() {
        assert_eq!(damage("{\n  \"le\": {"), "at line 2, column 9: expected JSON");
        assert!(damage("[]").starts_with("at the whole file: expected an object"));
    }

    #[test]
    fn a_wrong_type_is_named_by_its_path_and_nothing_of_it_is_shown() {
        let text = r#"{"le": {"Account": {"PrivateKey": ["TOP-SECRET"]}}}"#;
        assert!(damage(text).starts_with("at le"));
        assert!(!damage(text).contains("TOP-SECRET"));
    }

    #[test]
    fn version_1_is_distinguished_from_a_resolver() {
        assert!(damage(r#"{"Account": {"Email": "a@b.example"}, "Certificates": []}"#).contains("Traefik 1"));
        assert!(read(br#"{"Account": {"Account": null}}"#).is_ok());
    }

    #[test]
    fn our_field_has_the_name_that_is_documented() {
        let text = br#"{"le": {"EnvoyAutocert": {"leaseFence": 7}}}"#;
        assert_eq!(read(text).ok().unwrap()["le"].own_field.lease_fence, 7);
    }
}
