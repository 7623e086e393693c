//! The content of a file of Traefik's own, of any version: for import, not for use in place.
//!
//! | version | shape |
//! |---|---|
//! | 2 and 3 | `{"<resolver>": {"Account", "Certificates": [{"domain", "certificate", "key"}]}}` |
//! | 1.6 and 1.7 | `{"Account", "Certificates": [{"Domain", "Certificate", "Key"}], …}` |
//! | before | `{"Email", "Registration", "PrivateKey", "DomainsCertificate": {"Certs": […]}}` |
//!
//! Promises: an unreadable member costs that member alone; an error names the place, never the text there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::import::{Decoded, decoded};
use super::schema::{self, AccountEntry, Damage, OwnField, PreviousAccount, ProgressEntry};
use crate::record::Registration;
use pki::secret::Secret;

/// A resolver in such a file.
pub struct ForeignResolver {
    /// The name; `None` in version 1.
    pub name: Option<String>,
    /// The accounts: the one in use, then those that this program has set aside.
    pub accounts: Vec<ForeignAccount>,
    /// The certificates in order, or the fault of each.
    pub certificates: Vec<Result<ForeignCertificate, String>>,
    /// Other faults.
    pub damages: Vec<String>,
}

/// An account as it stands in the file.
pub struct ForeignAccount {
    /// The CA's directory URL, which only this program writes.
    pub ca_server: Option<String>,
    /// The external account that the account is bound to, by its key identifier, which only this program writes.
    pub eab_kid: Option<String>,
    /// The contact.
    pub email: String,
    /// The key's DER, or why it can't be read.
    pub key: Result<Secret, String>,
    /// The CA's answer to the registration.
    pub registration: Option<Registration>,
}

/// A certificate as it stands in the file.
pub struct ForeignCertificate {
    /// The names of its order.
    pub names: Vec<String>,
    /// The chain.
    pub chain_pem: String,
    /// The key, in PEM.
    pub key_pem: Secret,
}

/// Reads a file of any version.
///
/// # Errors
/// When it is no JSON, or no object.
pub fn read(text: &[u8]) -> Result<Vec<ForeignResolver>, Damage> {
    let file = schema::members(text)?;
    if schema::is_before_1_6(&file) {
        return Ok(vec![foreign(None, of_before_1_6(file))]);
    }
    if schema::is_version_1(&file) {
        return Ok(vec![foreign(None, Value::Object(file))]);
    }
    Ok(file.into_iter().map(|(name, value)| foreign(Some(name), value)).collect())
}

/// Converts the oldest shape into the one after it.
fn of_before_1_6(mut file: Map<String, Value>) -> Value {
    let certificates = file.remove("DomainsCertificate").and_then(|mut list| Some(list.get_mut("Certs")?.take()));
    let certificates = match certificates {
        Some(Value::Array(certificates)) => certificates.into_iter().map(certificate_of_before_1_6).collect(),
        _ => Vec::new(),
    };
    let mut account = Map::new();
    for field in ["Email", "Registration", "PrivateKey", "KeyType"] {
        account.extend(file.remove(field).map(|value| (field.to_owned(), value)));
    }
    json!({ "Account": account, "Certificates": certificates })
}

fn certificate_of_before_1_6(mut entry: Value) -> Value {
    let mut take = |path: &str| entry.pointer_mut(path).map(Value::take).unwrap_or_default();
    json!({
        "Domain": take("/Domains"),
        "Certificate": take("/Certificate/Certificate"),
        "Key": take("/Certificate/PrivateKey"),
    })
}

fn foreign(name: Option<String>, value: Value) -> ForeignResolver {
    let accounts = Vec::new();
    let certificates = Vec::new();
    let damages = Vec::new();
    let mut resolver = ForeignResolver { name, accounts, certificates, damages };
    let mut members = match value {
        Value::Object(members) => members,
        Value::Null => return resolver,
        _ => {
            resolver.damages.push("expected an object with Account and Certificates".to_owned());
            return resolver;
        }
    };
    let mut member = |name: &str| members.remove(name).filter(|value| !value.is_null());
    let own_field = member("EnvoyAutocert").map(schema::typed::<OwnField<Vec<PreviousAccount>, Vec<ProgressEntry>>>);
    let own_field = own_field.transpose().unwrap_or_else(|path| {
        resolver.damages.push(format!("EnvoyAutocert.{path} is missing or of a wrong type"));
        None
    });
    let own_field = own_field.unwrap_or_default();
    if let Some(entry) = member("Account") {
        resolver.accounts.push(match schema::typed(entry) {
            Ok(entry) => account(own_field.ca_server, own_field.eab_kid, entry),
            Err(path) => unreadable(own_field.ca_server, format!("{path} is of a wrong type")),
        });
    }
    let aside = own_field.previous_accounts.into_iter();
    resolver.accounts.extend(aside.map(|aside| account(aside.ca_server, aside.eab_kid, aside.account)));
    match member("Certificates") {
        None => {}
        Some(Value::Array(list)) => {
            resolver.certificates = list.into_iter().map(|value| decoded(value).map(certificate)).collect();
        }
        Some(_) => resolver.damages.push("Certificates is no list".to_owned()),
    }
    resolver
}

fn unreadable(ca_server: Option<String>, why: String) -> ForeignAccount {
    ForeignAccount { ca_server, eab_kid: None, email: String::new(), key: Err(why), registration: None }
}

fn account(ca_server: Option<String>, eab_kid: Option<String>, entry: AccountEntry) -> ForeignAccount {
    let registration = entry.registration.filter(|registration| !registration.uri.is_empty());
    let key = match BASE64.decode(&entry.private_key) {
        Ok(der) if der.is_empty() => Err("its key is missing (PrivateKey)".to_owned()),
        Ok(der) => Ok(Secret::new(der)),
        Err(_) => Err("its key is not base64".to_owned()),
    };
    ForeignAccount {
        ca_server,
        eab_kid,
        email: entry.email,
        key,
        registration: registration.map(|registration| Registration {
            url: registration.uri,
            status: registration.body.status,
            contact: registration.body.contact,
        }),
    }
}

fn certificate(decoded: Decoded) -> ForeignCertificate {
    ForeignCertificate {
        names: decoded.names,
        chain_pem: decoded.chain_pem,
        key_pem: Secret::new(decoded.key_pem.into_bytes()),
    }
}
