//! lego's data directory, `.lego`.
//!
//! | path | what it is |
//! |---|---|
//! | `certificates/NAME.crt`, `.key`, `.issuer.crt`, `.json` | a certificate, its key, its issuer, its metadata |
//! | `accounts/SERVER/ID/account.json`, `keys/ID.key` | an account, as version 4 keeps it |
//! | `accounts/SERVER/ID/KEY-TYPE/account.json`, `ID.key` | an account, as version 5 keeps it |

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::account_key;
use super::found::{Found, FoundAccount, PairFiles};
use super::tree::{ReadError, Tree, entries};
use crate::Registration;

/// Suffix of an issuer's certificate next to the leaf's.
const ISSUER: &str = ".issuer.crt";

/// True for lego's directory: by an account as lego keeps it, or by certificates side by side.
pub(super) fn lies_in(directory: &Path) -> bool {
    let is_account = |directory: &PathBuf| directory.join("account.json").is_file();
    let is_user = |user: &PathBuf| is_account(user) || entries(user).iter().any(is_account);
    let is_server = |server: &PathBuf| entries(server).iter().any(is_user);
    let is_certificate = |file: &PathBuf| {
        let is_chain = file.extension().is_some_and(|extension| extension == "crt") && file.is_file();
        is_chain && ["key", "json", "issuer.crt"].iter().any(|extension| file.with_extension(extension).is_file())
    };
    entries(&directory.join("accounts")).iter().any(is_server)
        || entries(&directory.join("certificates")).iter().any(is_certificate)
}

/// Reads a directory.
///
/// # Errors
/// When the path is no directory, or the directory can't be listed.
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
    let known = tree.read(&chain.with_extension("json")).ok().flatten().and_then(|json| resource(&json));
    let Resource { domains: names, cert_url: ca_server } = known.unwrap_or_default();
    // With `--no-bundle` the issuer's certificate is only in its own file.
    let issuer = chain.with_extension("issuer.crt");
    found.take_files_with_issuer(tree, PairFiles { certificate: chain, key: &key, names, ca_server }, &issuer);
}

/// lego's record of a certificate.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resource {
    /// The names of its order; version 4 did not store them.
    pub domains: Vec<String>,
    /// The URL at the CA.
    pub cert_url: Option<String>,
}

/// Parses `NAME.json`; `None` for anything else.
pub fn resource(json: &[u8]) -> Option<Resource> {
    serde_json::from_slice(json).ok()
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
        eab_kid: None,
        key: key.and_then(|pem| account_key::from_pem(&pem)),
    }))
}

/// The only key in `keys/` or next to the account.
fn key_file(tree: &Tree, directory: &Path) -> Result<Option<PathBuf>, ReadError> {
    let files = [tree.list(&directory.join("keys"))?, tree.list(directory)?].concat();
    Ok(files.into_iter().find(|file| file.extension().is_some_and(|extension| extension == "key")))
}

/// lego's record of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The contact; version 5 may have none.
    pub email: String,
    /// The CA's answer to the registration.
    pub registration: Option<Registration>,
}

/// Parses `account.json`; `None` for anything else.
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
    fn names_and_the_ca_are_read_where_they_stand() {
        let names = vec!["a.example".to_owned(), "b.example".to_owned()];
        let of_5 = resource(br#"{"id": "a", "domains": ["a.example", "b.example"]}"#);
        assert_eq!(of_5, Some(Resource { domains: names, cert_url: None }));
        let of_4 = resource(br#"{"domain": "a.example", "certUrl": "https://ca.example/1"}"#);
        assert_eq!(of_4, Some(Resource { domains: Vec::new(), cert_url: Some("https://ca.example/1".into()) }));
    }
}
