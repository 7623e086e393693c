//! The store of Apache's mod_md, its MDStoreDir.
//!
//! | path | what it is |
//! |---|---|
//! | `domains/NAME/` | `pubcert.pem`, `privkey.pem`: of RSA; `pubcert.CURVE.pem`, `privkey.CURVE.pem`; `md.json`: the CA |
//! | `staging/NAME/` | the same of a renewal that Apache takes at its next start; the key is encrypted |
//! | `accounts/ID/` | `account.json`, `account.pem`: RSA, and encrypted |

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::account_key;
use super::found::{Found, FoundAccount, PairFiles, mail};
use super::tree::{ReadError, Tree, entries};
use crate::Registration;

/// True for mod_md's directory, by files that no other tool writes.
pub(super) fn lies_in(directory: &Path) -> bool {
    let is_domain = |entry: &PathBuf| entry.join("md.json").is_file();
    directory.join("md_store.json").is_file() || entries(&directory.join("domains")).iter().any(is_domain)
}

/// Reads a directory.
///
/// # Errors
/// When the path is no directory, or the directory can't be listed.
pub fn read(directory: &Path) -> Result<Found, ReadError> {
    let tree = Tree::open(directory)?;
    let mut found = Found::default();
    for directory in tree.directories(&tree.path("domains"))? {
        domain(&tree, &directory, &mut found)?;
    }
    for directory in tree.directories(&tree.path("accounts"))? {
        if directory.join("account.json").is_file() {
            found.accounts.push(account(&tree, &directory));
        }
    }
    for directory in tree.directories(&tree.path("staging"))? {
        if !chains(&tree, &directory)?.is_empty() {
            let place = tree.place(&directory);
            found.warnings.push(format!(
                "{place} has a newer certificate, whose key is encrypted until Apache has taken it: restart Apache \
                 (apachectl graceful), and import again"
            ));
        }
    }
    found.warnings.extend(tree.warnings());
    Ok(found)
}

fn domain(tree: &Tree, directory: &Path, found: &mut Found) -> Result<(), ReadError> {
    let ca_server = tree.read(&directory.join("md.json")).ok().flatten().and_then(|json| server(&json));
    let chains = chains(tree, directory)?;
    if chains.is_empty() {
        found.leave_out(tree.place(directory), "no certificate was issued for it yet");
    }
    for (chain, key) in chains {
        let ca_server = ca_server.clone();
        found.take_files(tree, PairFiles { certificate: &chain, key: &key, names: Vec::new(), ca_server });
    }
    Ok(())
}

/// The chains in a directory, each with the path of its key.
fn chains(tree: &Tree, directory: &Path) -> Result<Vec<(PathBuf, PathBuf)>, ReadError> {
    let pair = |chain: PathBuf| {
        let rest = chain.file_name()?.to_str()?.strip_prefix("pubcert")?.to_owned();
        rest.ends_with(".pem").then(|| (chain, directory.join(format!("privkey{rest}"))))
    };
    Ok(tree.list(directory)?.into_iter().filter_map(pair).collect())
}

/// Parses the CA in `md.json`; `None` for anything else, or without a CA.
pub fn server(json: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Domain {
        ca: Ca,
    }
    #[derive(Deserialize)]
    struct Ca {
        url: String,
    }
    serde_json::from_slice(json).ok().map(|domain: Domain| domain.ca.url)
}

fn account(tree: &Tree, directory: &Path) -> FoundAccount {
    let file = directory.join("account.json");
    let read = tree.read(&file).ok().flatten().and_then(|json| self::registration(&json));
    let (ca_server, registration) = read.map_or((None, None), |(ca, registration)| (ca, Some(registration)));
    let key = tree.read_key(&directory.join("account.pem")).map_err(|error| error.what);
    FoundAccount {
        place: tree.place(&file),
        resolver: None,
        ca_server,
        email: mail(registration.as_ref()),
        registration,
        eab_kid: None,
        key: key.and_then(|pem| account_key::from_pem(&pem)),
    }
}

/// Parses `account.json`: the CA, and the account there; `None` for anything else, or without an account.
pub fn registration(json: &[u8]) -> Option<(Option<String>, Registration)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Account {
        url: String,
        #[serde(default)]
        ca_url: Option<String>,
        #[serde(default)]
        status: String,
        #[serde(default)]
        contact: Vec<String>,
    }
    let account: Account = serde_json::from_slice(json).ok()?;
    let registration = Registration { url: account.url, status: account.status, contact: account.contact };
    (!registration.url.is_empty()).then_some((account.ca_url, registration))
}
