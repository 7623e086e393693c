//! lego's data directory, `.lego`.
//!
//! | path | what it is |
//! |---|---|
//! | `certificates/NAME.crt`, `.key`, `.issuer.crt`, `.json` | a certificate, its key, its issuer, what is known of it |
//! | `accounts/SERVER/ID/account.json`, `keys/ID.key` | an account, as version 4 keeps it |
//! | `accounts/SERVER/ID/KEY-TYPE/account.json`, `ID.key` | an account, as version 5 keeps it |

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::account_key;
use super::found::{Found, FoundAccount, FoundCertificate, PairFiles};
use super::tree::{ReadError, Tree};
use crate::store::Registration;

/// How lego names an issuer's certificate beside the leaf's.
const ISSUER: &str = ".issuer.crt";

/// Reads a directory.
///
/// # Errors
/// When it is none, or can't be listed.
pub fn read(directory: &Path) -> Result<Found, ReadError> {
    let tree = Tree::open(directory)?;
    let mut found = Found::default();
    for file in tree.list(&tree.path("certificates"))? {
        let is_issuer = file.to_string_lossy().ends_with(ISSUER);
        if !is_issuer && file.extension().is_some_and(|extension| extension == "crt") {
            certificate(&tree, &file, &mut found);
        }
    }
    for server in tree.directories(&tree.path("accounts"))? {
        for user in tree.directories(&server)? {
            for directory in [vec![user.clone()], tree.directories(&user)?].concat() {
                found.accounts.extend(taken(&tree, &directory)?);
            }
        }
    }
    found.warnings.extend(tree.warnings());
    Ok(found)
}

fn certificate(tree: &Tree, chain: &Path, found: &mut Found) {
    let key = chain.with_extension("key");
    if !key.exists() {
        let why = "there is no key beside it: lego was given a signing request, and never had the key";
        return found.leave_out(tree.place(chain), why);
    }
    let names = match tree.read(&chain.with_extension("json")) {
        Ok(json) => json.and_then(|json| names(&json)).unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    found.take_files(tree, PairFiles { certificate: chain, key: &key, names });
    let taken = found.certificates.last_mut().filter(|taken| taken.place == tree.place(chain));
    if let Some(taken) = taken {
        add_issuer(tree, &chain.with_extension("issuer.crt"), taken);
    }
}

/// With `--no-bundle` the issuer's certificate is in its own file alone; visitors need both.
fn add_issuer(tree: &Tree, issuer: &Path, taken: &mut FoundCertificate) {
    if taken.chain_pem.matches("BEGIN CERTIFICATE").count() != 1 {
        return;
    }
    if let Ok(Some(pem)) = tree.read(issuer) {
        taken.chain_pem.push('\n');
        taken.chain_pem.push_str(&String::from_utf8_lossy(&pem));
    }
}

/// Reads what `NAME.json` says it was ordered for; version 4 did not say, and what is something else says nothing.
pub fn names(json: &[u8]) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Resource {
        domains: Vec<String>,
    }
    serde_json::from_slice(json).ok().map(|resource: Resource| resource.domains)
}

/// The account in a directory, if there is one.
fn taken(tree: &Tree, directory: &Path) -> Result<Option<FoundAccount>, ReadError> {
    let file = directory.join("account.json");
    let json = match tree.read(&file) {
        Ok(None) => return Ok(None),
        Ok(Some(json)) => json,
        Err(_) => Vec::new(),
    };
    let account = account(&json);
    let (email, registration) = account.map_or_else(Default::default, |account| (account.email, account.registration));
    let key = match key_file(tree, directory)? {
        Some(path) => tree.read_key(&path).map_err(|error| error.what),
        None => Err("there is no key beside it".to_owned()),
    };
    Ok(Some(FoundAccount {
        place: tree.place(&file),
        resolver: None,
        ca_server: None,
        email,
        registration,
        key: key.and_then(|pem| account_key::from_pem(&pem)),
    }))
}

/// The only key in `keys/` or beside the account.
fn key_file(tree: &Tree, directory: &Path) -> Result<Option<PathBuf>, ReadError> {
    let files = [tree.list(&directory.join("keys"))?, tree.list(directory)?].concat();
    Ok(files.into_iter().find(|file| file.extension().is_some_and(|extension| extension == "key")))
}

/// What lego keeps of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The contact; version 5 may have none.
    pub email: String,
    /// What the CA knows of it.
    pub registration: Option<Registration>,
}

/// Reads `account.json`; none when it is something else.
pub fn account(json: &[u8]) -> Option<Account> {
    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        email: String,
        #[serde(default)]
        registration: Option<Resource>,
    }
    #[derive(Deserialize)]
    struct Resource {
        #[serde(default)]
        uri: String,
        #[serde(default)]
        body: Body,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Body {
        status: String,
        contact: Option<Vec<String>>,
    }
    let file: File = serde_json::from_slice(json).ok()?;
    let registered = file.registration.filter(|registration| !registration.uri.is_empty());
    let registration = registered.map(|registration| Registration {
        url: registration.uri,
        status: registration.body.status,
        contact: registration.body.contact.unwrap_or_default(),
    });
    Some(Account { email: file.email, registration })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read() {
        let json = br#"{"email": "a@b.example", "registration": {"uri": "https://ca.example/1", "body":
            {"status": "valid", "contact": ["mailto:a@b.example"], "orders": "https://ca.example/2"}}}"#;
        let registration = Registration {
            url: "https://ca.example/1".into(),
            status: "valid".into(),
            contact: vec!["mailto:a@b.example".into()],
        };
        assert_eq!(account(json), Some(Account { email: "a@b.example".into(), registration: Some(registration) }));
        let unregistered = Some(Account { email: "a@b.example".into(), registration: None });
        assert_eq!(account(br#"{"email": "a@b.example", "registration": null}"#), unregistered);
        assert_eq!(account(b"[]x"), None);
    }

    #[test]
    fn names_are_read_where_they_stand() {
        assert_eq!(names(br#"{"id": "a", "domains": ["a.example", "b.example"]}"#).map(|names| names.len()), Some(2));
        assert_eq!(names(br#"{"domain": "a.example", "certUrl": "https://ca.example/1"}"#), None);
    }
}
