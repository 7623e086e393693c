//! Caddy's data directory (also of other users of certmagic).
//!
//! | path | what it is |
//! |---|---|
//! | `certificates/ISSUER/SITE/SITE.crt`, `.key`, `.json` | a certificate, its key, and what is known of it |
//! | `acme/ISSUER/users/EMAIL/USER.json`, `.key` | an account: P-256 as Caddy makes them |

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::account_key;
use super::found::{Found, FoundAccount, PairFiles};
use super::tree::{ReadError, Tree};
use crate::store::Registration;

/// Reads a directory.
///
/// # Errors
/// When it is none, or can't be listed.
pub fn read(directory: &Path) -> Result<Found, ReadError> {
    let tree = Tree::open(directory)?;
    let mut found = Found::default();
    for issuer in tree.directories(&tree.path("certificates"))? {
        for site in tree.directories(&issuer)? {
            certificate(&tree, &site, &mut found);
        }
    }
    for issuer in tree.directories(&tree.path("acme"))? {
        for user in tree.directories(&issuer.join("users"))? {
            for file in tree.list(&user)? {
                if file.extension().is_some_and(|extension| extension == "json") {
                    found.accounts.push(taken(&tree, &file));
                }
            }
        }
    }
    found.warnings.extend(tree.warnings());
    Ok(found)
}

fn certificate(tree: &Tree, site: &Path, found: &mut Found) {
    let name = site.file_name().unwrap_or_default().to_string_lossy();
    let file = |extension: &str| site.join(format!("{name}.{extension}"));
    let (chain, key) = (file("crt"), file("key"));
    let known = match tree.read(&file("json")) {
        Ok(json) => json.and_then(|json| metadata(&json)),
        Err(_) => None,
    };
    if known.as_ref().is_some_and(|known| known.is_internal) {
        let why = "it is from Caddy's internal CA; only certificates from ACME CAs are taken";
        return found.leave_out(tree.place(&chain), why);
    }
    let names = known.map(|known| known.names).unwrap_or_default();
    found.take_files(tree, PairFiles { certificate: &chain, key: &key, names });
}

/// What is known of a certificate besides what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What it was ordered for.
    pub names: Vec<String>,
    /// Whether Caddy made it itself.
    pub is_internal: bool,
}

/// Reads `SITE.json`; none when it is something else.
pub fn metadata(json: &[u8]) -> Option<Metadata> {
    #[derive(Deserialize)]
    struct Resource {
        #[serde(default)]
        sans: Option<Vec<String>>,
        /// What the issuer wants to know again: a CA's has URLs, Caddy's own nothing.
        #[serde(default)]
        issuer_data: Option<Value>,
    }
    let resource: Resource = serde_json::from_slice(json).ok()?;
    Some(Metadata { names: resource.sans.unwrap_or_default(), is_internal: resource.issuer_data.is_none() })
}

fn taken(tree: &Tree, file: &Path) -> FoundAccount {
    let registration = match tree.read(file) {
        Ok(json) => json.and_then(|json| account(&json)),
        Err(_) => None,
    };
    let key = tree.read_key(&file.with_extension("key")).map_err(|error| error.what);
    let contact = registration.iter().flat_map(|registration| &registration.contact);
    FoundAccount {
        place: tree.place(file),
        resolver: None,
        ca_server: None,
        email: contact.filter_map(|contact| contact.strip_prefix("mailto:")).next().unwrap_or_default().to_owned(),
        registration,
        key: key.and_then(|pem| account_key::from_pem(&pem)),
    }
}

/// Reads `USER.json`; none when it is something else, or names no account.
pub fn account(json: &[u8]) -> Option<Registration> {
    /// The account object (RFC 8555 §7.1.2) with its URL.
    #[derive(Deserialize)]
    struct Account {
        location: String,
        #[serde(default)]
        status: Option<String>,
        #[serde(default)]
        contact: Option<Vec<String>>,
    }
    let account: Account = serde_json::from_slice(json).ok()?;
    (!account.location.is_empty()).then(|| Registration {
        url: account.location,
        status: account.status.unwrap_or_default(),
        contact: account.contact.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_of_the_internal_ca_is_told() {
        let read = |json: &str| metadata(json.as_bytes());
        let from_ca = r#"{"sans": ["a.example"], "issuer_data": {"url": "https://ca.example/cert/1"}}"#;
        assert_eq!(read(from_ca), Some(Metadata { names: vec!["a.example".into()], is_internal: false }));
        let internal = r#"{"sans": ["localhost"], "issuer_data": null}"#;
        assert_eq!(read(internal), Some(Metadata { names: vec!["localhost".into()], is_internal: true }));
        for junk in ["", "[", r#"{"sans": 1}"#] {
            assert_eq!(read(junk), None, "{junk}");
        }
    }

    #[test]
    fn an_account_needs_a_url() {
        let json = br#"{"status": "valid", "contact": ["mailto:a@b.example"], "location": "https://ca.example/1"}"#;
        let expected = Registration {
            url: "https://ca.example/1".into(),
            status: "valid".into(),
            contact: vec!["mailto:a@b.example".into()],
        };
        assert_eq!(account(json), Some(expected));
        for junk in ["", "{}", r#"{"location": ""}"#, "[1]"] {
            assert_eq!(account(junk.as_bytes()), None, "{junk}");
        }
    }
}
