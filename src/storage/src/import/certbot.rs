//! certbot's configuration directory, /etc/letsencrypt.
//!
//! | path | what it is |
//! |---|---|
//! | `live/NAME/fullchain.pem`, `privkey.pem` | the newest certificate of a lineage, linked into `archive/` |
//! | `archive/NAME/fullchainN.pem`, `privkeyN.pem` | all its former certificates |
//! | `renewal/NAME.conf` | its renewal configuration: CA and account |
//! | `accounts/HOST/PATH…/ID/` | `private_key.json` (a JWK, RSA by default), `regr.json`, `meta.json` |

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::account_key;
use super::found::{Found, FoundAccount, PairFiles, mail};
use super::pem::last_day;
use super::tree::{ReadError, Tree, entries};
use crate::Registration;

/// Depth of the search for accounts: the path of a CA's directory URL has few segments.
const MAX_DEPTH: usize = 8;

/// True for certbot's directory, also for a copy of a part of it. acmetool has a `live/` too, but its files have no
/// extensions.
pub(super) fn lies_in(directory: &Path) -> bool {
    let holds = |directory: &Path, is: fn(&Path) -> bool| entries(directory).iter().any(|entry| is(entry));
    let is_settings: fn(&Path) -> bool = |entry| entry.extension().is_some_and(|extension| extension == "conf");
    let is_acmetools: fn(&Path) -> bool = |entry| entry.join("fullchain").exists();
    let is_archived: fn(&Path) -> bool = |entry| entries(entry).iter().any(|file| number(file).is_some());
    let live = directory.join("live");
    live.is_dir() && !holds(&live, is_acmetools) && !directory.join("desired").is_dir()
        || holds(&directory.join("renewal"), is_settings)
        || holds(&directory.join("archive"), is_archived)
}

/// Reads a directory.
///
/// # Errors
/// When the path is no directory, or the directory can't be listed.
pub fn read(directory: &Path) -> Result<Found, ReadError> {
    let tree = Tree::open(directory)?;
    let mut found = Found::default();
    let renewals = renewals(&tree, &mut found)?;
    let mut lineages = tree.directories(&tree.path("live"))?;
    for archived in tree.directories(&tree.path("archive"))? {
        let lineage = tree.path("live").join(archived.file_name().unwrap_or_default());
        if !lineages.contains(&lineage) {
            lineages.push(lineage);
        }
    }
    for lineage in lineages {
        let name = lineage.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let ca_server = renewals.get(&name).and_then(|renewal| renewal.server.clone());
        take(&tree, &lineage, &name, ca_server, &mut found)?;
    }
    let servers = renewals.into_values().filter_map(|renewal| renewal.account.zip(renewal.server)).collect();
    for directory in tree.holders(&tree.path("accounts"), "private_key.json", MAX_DEPTH)? {
        found.accounts.push(account(&tree, &directory, &servers));
    }
    // Of several accounts at one CA the first is taken: one that renews certificates.
    found.accounts.sort_by_key(|account| account.ca_server.is_none());
    found.warnings.extend(tree.warnings());
    Ok(found)
}

/// Takes a lineage: the files that `live/` names, or the newest in `archive/` where those can't be read.
fn take(
    tree: &Tree,
    lineage: &Path,
    name: &str,
    ca_server: Option<String>,
    found: &mut Found,
) -> Result<(), ReadError> {
    let live = (lineage.join("fullchain.pem"), lineage.join("privkey.pem"));
    let archived = newest(tree, &tree.path("archive").join(name))?;
    let is_there = |path: &Path| matches!(tree.read(path), Ok(Some(_)));
    let ((certificate, key), instead) = match archived {
        Some(archived) if !is_there(&live.0) || !is_there(&live.1) => (archived, None),
        archived => (live, archived),
    };
    found.take_files(tree, PairFiles { certificate: &certificate, key: &key, names: Vec::new(), ca_server });
    let Some((archived, _)) = instead else { return Ok(()) };
    let ends = |path: &Path| tree.read(path).ok().flatten().and_then(|pem| last_day(&pem));
    if let Some((ours, theirs)) = ends(&certificate).zip(ends(&archived)).filter(|(ours, theirs)| theirs > ours) {
        let place = tree.place(&archived);
        let live = tree.place(&certificate);
        found.warnings.push(format!(
            "{place} is valid until {theirs}, longer than {live} ({ours}), which is the one in use by certbot and is \
             taken: `certbot update_symlinks` mends the links"
        ));
    }
    Ok(())
}

/// The chain with the highest number in a lineage's archive, with its key.
fn newest(tree: &Tree, archive: &Path) -> Result<Option<(PathBuf, PathBuf)>, ReadError> {
    let numbered = tree.list(archive)?.into_iter().filter_map(|file| Some((number(&file)?, file)));
    let pairs = numbered.map(|(number, file)| (number, file, archive.join(format!("privkey{number}.pem"))));
    let newest = pairs.filter(|(_, _, key)| key.is_file()).max_by_key(|(number, ..)| *number);
    Ok(newest.map(|(_, chain, key)| (chain, key)))
}

/// The number of an archived chain: 3 of `fullchain3.pem`.
fn number(file: &Path) -> Option<u64> {
    file.file_name()?.to_str()?.strip_prefix("fullchain")?.strip_suffix(".pem")?.parse().ok()
}

/// The renewal configuration of each lineage.
fn renewals(tree: &Tree, found: &mut Found) -> Result<BTreeMap<String, Renewal>, ReadError> {
    let mut renewals = BTreeMap::new();
    for path in tree.list(&tree.path("renewal"))? {
        if path.extension().is_none_or(|extension| extension != "conf") {
            continue;
        }
        match tree.read(&path) {
            Ok(text) => {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                renewals.insert(name, renewal(&String::from_utf8_lossy(&text.unwrap_or_default())));
            }
            Err(error) => found.warnings.push(format!("{}: {}", tree.place(&path), error.what)),
        }
    }
    Ok(renewals)
}

/// The account and CA that renew a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewal {
    /// The account's id: the name of its directory.
    pub account: Option<String>,
    /// The CA's directory URL.
    pub server: Option<String>,
}

/// Parses `renewal/NAME.conf`, which is Python's ConfigObj: `key = value`, `[section]`, `# comment`. Other lines are
/// skipped.
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

fn account(tree: &Tree, directory: &Path, servers: &BTreeMap<String, String>) -> FoundAccount {
    let id = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let registration = tree.read(&directory.join("regr.json")).ok().flatten().and_then(|json| registration(&json));
    let key = tree.read_key(&directory.join("private_key.json")).map_err(|error| error.what);
    FoundAccount {
        place: tree.place(directory),
        resolver: None,
        ca_server: servers.get(&id).cloned(),
        email: mail(registration.as_ref()),
        registration,
        eab_kid: None,
        key: key.and_then(|json| account_key::from_jwk(&json)),
    }
}

/// Parses `regr.json`; `None` for anything else, or without an account.
pub fn registration(json: &[u8]) -> Option<Registration> {
    /// The account resource; its body is often empty.
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
