//! A file of Traefik's own, of any version, as what is in it: for taking it over, not for using it in place.
//!
//! | version | shape |
//! |---|---|
//! | 2 and 3 | `{"<resolver>": {"Account", "Certificates": [{"domain", "certificate", "key"}]}}` |
//! | 1.6 and 1.7 | `{"Account", "Certificates": [{"Domain", "Certificate", "Key"}], …}` |
//! | before | `{"Email", "Registration", "PrivateKey", "DomainsCertificate": {"Certs": […]}}` |
//!
//! Promises: one member that can't be read costs that member alone; an error names the place, never what stands there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::import::{Decoded, decoded};
use super::schema::{self, AccountEntry, Damage, ResolverIn};
use crate::secret::Secret;
use crate::store::record::Registration;

/// What a resolver has in such a file.
pub struct ForeignResolver {
    /// Its name; version 1 knew none.
    pub name: Option<String>,
    /// Its accounts: the one in use, then those that this program has set aside.
    pub accounts: Vec<ForeignAccount>,
    /// Its certificates in their order, or what is wrong with one.
    pub certificates: Vec<Result<ForeignCertificate, String>>,
}

/// An account as it stands in the file.
pub struct ForeignAccount {
    /// The CA's directory URL, which only this program writes.
    pub ca_server: Option<String>,
    /// The contact.
    pub email: String,
    /// The key's DER, which is empty when there is none; none when it is not base64.
    pub key: Option<Secret>,
    /// What the CA knows of it.
    pub registration: Option<Registration>,
}

/// A certificate as it stands in the file.
pub struct ForeignCertificate {
    /// What it was ordered for.
    pub names: Vec<String>,
    /// The chain.
    pub chain_pem: String,
    /// The key, in PEM.
    pub key_pem: Secret,
}

/// Reads a file of any version.
///
/// # Errors
/// When it is no JSON, or nothing like Traefik's.
pub fn read(text: &[u8]) -> Result<Vec<ForeignResolver>, Damage> {
    let file = schema::members(text)?;
    if schema::is_before_1_6(&file) {
        return Ok(vec![foreign(None, schema::resolver("the whole file", of_before_1_6(file))?)]);
    }
    if schema::is_version_1(&file) {
        return Ok(vec![foreign(None, schema::resolver("the whole file", Value::Object(file))?)]);
    }
    file.into_iter()
        .map(|(name, value)| {
            let resolver = schema::resolver(&name, value)?;
            Ok(foreign(Some(name), resolver))
        })
        .collect()
}

/// The oldest shape in the form of the one after it.
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

fn foreign(name: Option<String>, resolver: ResolverIn) -> ForeignResolver {
    let in_use = resolver.account.map(|entry| account(resolver.ours.ca_server, entry));
    let aside = resolver.ours.previous_accounts.into_iter().map(|aside| account(aside.ca_server, aside.account));
    ForeignResolver {
        name,
        accounts: in_use.into_iter().chain(aside).collect(),
        certificates: resolver.certificates.into_iter().map(|value| decoded(value).map(certificate)).collect(),
    }
}

fn account(ca_server: Option<String>, entry: AccountEntry) -> ForeignAccount {
    let registration = entry.registration.filter(|registration| !registration.uri.is_empty());
    ForeignAccount {
        ca_server,
        email: entry.email,
        key: BASE64.decode(&entry.private_key).ok().map(Secret::new),
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
