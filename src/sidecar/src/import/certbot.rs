//! certbot's configuration directory, /etc/letsencrypt.
//!
//! | path | what it is |
//! |---|---|
//! | `live/NAME/fullchain.pem`, `privkey.pem` | the newest certificate of a lineage, linked into `archive/` |
//! | `renewal/NAME.conf` | how it is renewed: CA and account |
//! | `accounts/HOST/PATH…/ID/` | `private_key.json` (a JWK, RSA by default), `regr.json`, `meta.json` |

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::account_key;
use super::found::{Found, FoundAccount, PairFiles};
use super::tree::{ReadError, Tree};
use crate::store::Registration;

/// How many directories deep accounts are looked for: the path of a CA's directory URL has few segments.
const MAX_DEPTH: usize = 8;

/// Reads a directory.
///
/// # Errors
/// When it is none, or can't be listed.
pub fn read(directory: &Path) -> Result<Found, ReadError> {
    let tree = Tree::open(directory)?;
    let mut found = Found::default();
    for lineage in tree.directories(&tree.path("live"))? {
        let (certificate, key) = (lineage.join("fullchain.pem"), lineage.join("privkey.pem"));
        found.take_files(&tree, PairFiles { certificate: &certificate, key: &key, names: Vec::new() });
    }
    let servers = servers(&tree, &mut found)?;
    accounts(&tree, &tree.path("accounts"), MAX_DEPTH, &servers, &mut found)?;
    // Of several at one CA the first is taken: one that certificates are renewed with.
    found.accounts.sort_by_key(|account| account.ca_server.is_none());
    found.warnings.extend(tree.warnings());
    Ok(found)
}

/// The CA of each account that a certificate is renewed with.
fn servers(tree: &Tree, found: &mut Found) -> Result<BTreeMap<String, String>, ReadError> {
    let mut servers = BTreeMap::new();
    for path in tree.list(&tree.path("renewal"))? {
        if path.extension().is_none_or(|extension| extension != "conf") {
            continue;
        }
        match tree.read(&path) {
            Ok(text) => {
                let renewal = renewal(&String::from_utf8_lossy(&text.unwrap_or_default()));
                servers.extend(renewal.account.zip(renewal.server));
            }
            Err(error) => found.warnings.push(format!("{}: {}", tree.place(&path), error.what)),
        }
    }
    Ok(servers)
}

/// Which account renews a certificate, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewal {
    /// The account's id: the name of its directory.
    pub account: Option<String>,
    /// The CA's directory URL.
    pub server: Option<String>,
}

/// Reads `renewal/NAME.conf`, which is Python's ConfigObj: `key = value`, `[section]`, `# comment`. What is something
/// else is passed over.
pub fn renewal(text: &str) -> Renewal {
    let mut renewal = Renewal::default();
    let mut section = "";
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim();
        }
        let Some((key, value)) = line.split_once('=').filter(|_| section == "renewalparams") else { continue };
        let value = value.trim().trim_matches(['"', '\'']).to_owned();
        match key.trim() {
            "account" => renewal.account = Some(value),
            "server" => renewal.server = Some(value),
            _ => {}
        }
    }
    renewal
}

fn accounts(
    tree: &Tree,
    directory: &Path,
    depth: usize,
    servers: &BTreeMap<String, String>,
    found: &mut Found,
) -> Result<(), ReadError> {
    let key = directory.join("private_key.json");
    if key.exists() {
        let account = account(tree, directory, &key, servers);
        found.accounts.push(account);
        return Ok(());
    }
    let Some(depth) = depth.checked_sub(1) else { return Ok(()) };
    for inner in tree.directories(directory)? {
        // certbot links old CAs' accounts to the new ones; each is found where it lies.
        if !is_link(&inner) {
            accounts(tree, &inner, depth, servers, found)?;
        }
    }
    Ok(())
}

fn account(tree: &Tree, directory: &Path, key: &Path, servers: &BTreeMap<String, String>) -> FoundAccount {
    let id = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let registration = match tree.read(&directory.join("regr.json")) {
        Ok(Some(json)) => registration(&json),
        Ok(None) | Err(_) => None,
    };
    let key = tree.read_key(key).map_err(|error| error.what);
    let contact = registration.iter().flat_map(|registration| &registration.contact);
    FoundAccount {
        place: tree.place(directory),
        resolver: None,
        ca_server: servers.get(&id).cloned(),
        email: contact.filter_map(|contact| contact.strip_prefix("mailto:")).next().unwrap_or_default().to_owned(),
        registration,
        key: key.and_then(|json| account_key::from_jwk(&json)),
    }
}

/// Reads `regr.json`; none when it is something else, or names no account.
pub fn registration(json: &[u8]) -> Option<Registration> {
    /// The account's resource; its body is often empty.
    #[derive(Deserialize)]
    struct Resource {
        uri: String,
        #[serde(default)]
        body: Body,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Body {
        status: Option<String>,
        contact: Option<Vec<String>>,
    }
    let resource: Resource = serde_json::from_slice(json).ok()?;
    (!resource.uri.is_empty()).then(|| Registration {
        url: resource.uri,
        status: resource.body.status.unwrap_or_default(),
        contact: resource.body.contact.unwrap_or_default(),
    })
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewals_account_and_ca_are_read() {
        let text = "version = 5.8.0\nserver = https://not.here/\n# server = x\n[renewalparams]\naccount = f8e4\n\
                    server = \"https://ca.example/dir\"\nauthenticator = standalone\n[[webroot_map]]\nserver = y\n";
        let expected = Renewal { account: Some("f8e4".into()), server: Some("https://ca.example/dir".into()) };
        assert_eq!(renewal(text), expected);
        for junk in ["", "[", "[]", "=", "[renewalparams", "[renewalparams]\n=\n==\nserver", "\0"] {
            assert_eq!(renewal(junk), Renewal::default(), "{junk:?}");
        }
    }

    #[test]
    fn a_registration_needs_a_url() {
        let json = br#"{"body": {}, "uri": "https://ca.example/acct/1"}"#;
        assert_eq!(registration(json).map(|registration| registration.url), Some("https://ca.example/acct/1".into()));
        for junk in ["", "{}", r#"{"uri": ""}"#, r#"{"uri": 1}"#, "[]"] {
            assert_eq!(registration(junk.as_bytes()), None, "{junk}");
        }
    }
}
