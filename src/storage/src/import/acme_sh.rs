//! acme.sh's directory, ~/.acme.sh.
//!
//! | path | what it is |
//! |---|---|
//! | `NAME/`, `NAME_ecc/` | `fullchain.cer` (of old versions `NAME.cer` with `ca.cer`), `NAME.key`, `NAME.conf` (`Le_API`: the CA) |
//! | `ca/HOST/PATH…/` | `account.key` (P-256 by default), `account.json`, `ca.conf` (`ACCOUNT_URL`) |
//! | `account.conf` | the settings, among them `CERT_HOME`: where the certificates lie when not here |

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::found::{Found, FoundAccount, PairFiles, mail};
use super::tree::{ReadError, Tree, entries};
use super::{account_key, shell};
use crate::Registration;

/// Depth of the search for accounts: the path of a CA's directory URL has few segments.
const MAX_DEPTH: usize = 8;
/// Suffix of a name whose key is an elliptic curve's.
const ECC: &str = "_ecc";

/// True for acme.sh's directory: by its settings, or by a certificate as only acme.sh keeps it.
pub(super) fn lies_in(directory: &Path) -> bool {
    let is_certificate = |entry: &PathBuf| {
        let name = name_of(entry);
        let beside = |file: String| entry.join(file).is_file();
        let has_key = || beside(format!("{name}.key"));
        beside("fullchain.cer".into()) && has_key() || beside(format!("{name}.conf")) && has_key()
    };
    let settings = shell::read_lenient(&directory.join("account.conf"));
    let are_own = |text: &String| OWN.iter().any(|key| shell::value(text, key).is_some());
    settings.is_some_and(|text| directory.join("ca").is_dir() || are_own(&text))
        || entries(directory).iter().any(is_certificate)
}

/// Settings of `account.conf` that acme.sh writes.
const OWN: [&str; 6] = ["ACCOUNT_EMAIL", "CERT_HOME", "DEFAULT_ACME_SERVER", "LOG_FILE", "UPGRADE_HASH", "USER_PATH"];

/// Reads a directory.
///
/// # Errors
/// When the path is no directory, or the directory can't be listed.
pub fn read(directory: &Path) -> Result<Found, ReadError> {
    let tree = Tree::open(directory)?;
    let mut found = Found::default();
    let mut servers = BTreeSet::new();
    for directory in tree.directories(&tree.path(""))? {
        servers.extend(certificate(&tree, &directory, &mut found));
    }
    for directory in tree.holders(&tree.path("ca"), "account.key", MAX_DEPTH)? {
        found.accounts.push(account(&tree, &directory, &servers));
    }
    elsewhere(&tree, &mut found);
    found.warnings.extend(tree.warnings());
    Ok(found)
}

/// Takes the certificate in a directory, if one was ever ordered there; returns its CA.
fn certificate(tree: &Tree, directory: &Path, found: &mut Found) -> Option<String> {
    let name = name_of(directory);
    let settings = directory.join(format!("{name}.conf"));
    let whole = directory.join("fullchain.cer");
    let leaf = directory.join(format!("{name}.cer"));
    if !settings.is_file() && !whole.is_file() {
        return None;
    }
    let text = tree.read(&settings).ok().flatten().map(|text| String::from_utf8_lossy(&text).into_owned());
    let value = |key: &str| text.as_deref().and_then(|text| shell::value(text, key));
    let server = value("Le_API").filter(|server| server.starts_with("https://"));
    let key = directory.join(format!("{name}.key"));
    let chain = if whole.is_file() { whole } else { leaf };
    if !chain.is_file() {
        found.leave_out(tree.place(directory), "no certificate was issued for it yet");
    } else if !key.exists() {
        let why = "there is no key beside it: acme.sh was given a signing request, and never had the key";
        found.leave_out(tree.place(&chain), why);
    } else {
        let issuer = directory.join("ca.cer");
        let ca_server = server.clone().or_else(|| value("Le_LinkCert"));
        let files = PairFiles { certificate: &chain, key: &key, names: Vec::new(), ca_server };
        found.take_files_with_issuer(tree, files, &issuer);
    }
    server
}

/// A directory's name without the suffix for elliptic curves.
fn name_of(directory: &Path) -> String {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(ECC).unwrap_or(&name).to_owned()
}

/// Warns of certificates that are kept in other directories.
fn elsewhere(tree: &Tree, found: &mut Found) {
    let settings = tree.read(&tree.path("account.conf")).ok().flatten().unwrap_or_default();
    let home = shell::value(&String::from_utf8_lossy(&settings), "CERT_HOME").map(PathBuf::from);
    if let Some(home) = home.filter(|home| home.is_absolute() && !tree.is_root(home)) {
        found.warnings.push(format!("account.conf: CERT_HOME is {}: import that directory too", home.display()));
    }
}

fn account(tree: &Tree, directory: &Path, servers: &BTreeSet<String>) -> FoundAccount {
    let text = |name: &str| tree.read(&directory.join(name)).ok().flatten();
    let settings = text("ca.conf").map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
    let resource = text("account.json").and_then(|json| resource(&json)).unwrap_or_default();
    let registration = shell::value(&settings, "ACCOUNT_URL").filter(|url| !url.is_empty()).map(|url| Registration {
        url,
        status: resource.status,
        contact: resource.contact,
    });
    let email = shell::value(&settings, "CA_EMAIL").filter(|email| email.contains('@'));
    let key = tree.read_key(&directory.join("account.key")).map_err(|error| error.what);
    FoundAccount {
        place: tree.place(directory),
        resolver: None,
        ca_server: Some(server(&tree.place(directory), servers)),
        email: email.unwrap_or_else(|| mail(registration.as_ref())),
        registration,
        eab_kid: shell::value(&settings, "CA_EAB_KEY_ID").filter(|kid| !kid.is_empty()),
        key: key.and_then(|pem| account_key::from_pem(&pem)),
    }
}

/// The CA's directory URL: from a certificate, else from the path, which leaves out the port.
fn server(place: &str, servers: &BTreeSet<String>) -> String {
    let path = place.strip_prefix("ca/").unwrap_or(place);
    let is = |server: &&String| {
        let rest = server.strip_prefix("https://").unwrap_or(server);
        let (authority, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let host = authority.split(':').next().unwrap_or(authority);
        path == format!("{host}/{rest}") || path == host
    };
    servers.iter().find(is).cloned().unwrap_or_else(|| format!("https://{path}"))
}

/// The CA's account object.
#[derive(Debug, Default, Deserialize)]
pub struct Resource {
    #[serde(default)]
    status: String,
    #[serde(default)]
    contact: Vec<String>,
}

/// Parses `account.json`, or dehydrated's file of the same content; `None` for anything else.
pub fn resource(json: &[u8]) -> Option<Resource> {
    serde_json::from_slice(json).ok()
}

impl Resource {
    /// The registration of the account with this URL.
    pub(super) fn at(self, url: String) -> Registration {
        Registration { url, status: self.status, contact: self.contact }
    }
}
