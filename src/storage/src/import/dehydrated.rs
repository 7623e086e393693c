//! dehydrated's directory (its BASEDIR), /var/lib/dehydrated.
//!
//! | path | what it is |
//! |---|---|
//! | `certs/NAME/` | `fullchain.pem`, `privkey.pem`: links to the newest ones |
//! | `accounts/CA/` | `account_key.pem`, `registration_info.json`, `account_id.json`; CA is its URL in base64url |

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::found::{Found, FoundAccount, PairFiles, mail};
use super::tree::{ReadError, Tree, entries};
use super::{account_key, acme_sh, shell};

/// True for dehydrated's directory: by its accounts, or by the layout of its certificates.
pub(super) fn lies_in(directory: &Path) -> bool {
    let is_account = |entry: &PathBuf| server(entry).is_some() && entry.is_dir();
    let is_certificate = |entry: &PathBuf| {
        let has = |name: &str| exists(&entry.join(name));
        has("privkey.pem") && (has("fullchain.pem") || has("cert.pem"))
    };
    entries(&directory.join("accounts")).iter().any(is_account)
        || entries(&directory.join("certs")).iter().any(is_certificate)
        || [entries(&directory.join("certs")), entries(&directory.join("accounts"))].concat().is_empty()
            && elsewhere(directory).is_some()
}

/// The directory that the settings here name as dehydrated's, when it is another one.
pub(super) fn elsewhere(directory: &Path) -> Option<PathBuf> {
    let settings = shell::read_lenient(&directory.join("config"))?;
    let is_own = ["WELLKNOWN", "CHALLENGETYPE", "BASEDIR", "DOMAINS_TXT", "CERTDIR"];
    if !is_own.iter().any(|key| settings.contains(key)) {
        return None;
    }
    let base = shell::value(&settings, "BASEDIR").or_else(|| shell::value(&settings, "CERTDIR"))?;
    let base = PathBuf::from(base);
    (base.is_absolute() && base != directory).then_some(base)
}

/// Reads a directory.
///
/// # Errors
/// When the path is no directory, or the directory can't be listed.
pub fn read(directory: &Path) -> Result<Found, ReadError> {
    let tree = Tree::open(directory)?;
    let mut found = Found::default();
    for directory in tree.directories(&tree.path("accounts"))? {
        found.accounts.extend(account(&tree, &directory));
    }
    // A certificate's directory does not name its CA; if all accounts are at one CA, it is that one.
    let servers: Vec<_> = found.accounts.iter().filter_map(|account| account.ca_server.clone()).collect();
    let only = servers.first().filter(|_| servers.len() == 1);
    for directory in tree.directories(&tree.path("certs"))? {
        let whole = directory.join("fullchain.pem");
        let chain = if exists(&whole) { whole } else { directory.join("cert.pem") };
        if exists(&chain) {
            let key = directory.join("privkey.pem");
            let ca_server = only.cloned();
            let files = PairFiles { certificate: &chain, key: &key, names: Vec::new(), ca_server };
            found.take_files_with_issuer(&tree, files, &directory.join("chain.pem"));
        } else {
            found.leave_out(tree.place(&directory), "no certificate was issued for it yet");
        }
    }
    if let Some(base) = elsewhere(&tree.path("")) {
        found.warnings.push(format!("config: the certificates lie in {}: import that directory", base.display()));
    }
    found.warnings.extend(tree.warnings());
    Ok(found)
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The CA's directory URL, from the name of an account's directory.
fn server(directory: &Path) -> Option<String> {
    let name = directory.file_name()?.to_str()?;
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(name).ok()?).ok()?;
    let url = text.trim();
    url.starts_with("http").then(|| url.to_owned())
}

fn account(tree: &Tree, directory: &Path) -> Option<FoundAccount> {
    let text = |name: &str| tree.read(&directory.join(name)).ok().flatten();
    let key = directory.join("account_key.pem");
    if !key.exists() {
        return None;
    }
    let url = text("account_id.json").and_then(|json| url(&json));
    let resource = text("registration_info.json").and_then(|json| acme_sh::resource(&json)).unwrap_or_default();
    let registration = url.map(|url| resource.at(url));
    let key = tree.read_key(&key).map_err(|error| error.what);
    Some(FoundAccount {
        place: tree.place(directory),
        resolver: None,
        ca_server: server(directory),
        email: mail(registration.as_ref()),
        registration,
        eab_kid: None,
        key: key.and_then(|pem| account_key::from_pem(&pem)),
    })
}

/// Parses `account_id.json`; `None` for anything else, or without an account.
pub fn url(json: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Id {
        #[serde(alias = "id")]
        url: String,
    }
    let id: Id = serde_json::from_slice(json).ok()?;
    (!id.url.is_empty()).then_some(id.url)
}
