//! The state of nginx's own ACME module (ngx_http_acme_module): an issuer's state_path, `acme_ISSUER` by default.
//!
//! | path | what it is |
//! |---|---|
//! | `NAME-HASH.crt`, `.key` | a certificate and its key |
//! | `account.key` | the account's key; its URL at the CA is not kept |

use std::path::{Path, PathBuf};

use super::found::{Found, FoundAccount, PairFiles};
use super::tree::{ReadError, Tree, entries};

/// True for an issuer's directory: by names with a hash, or by the account's key in a directory with the default name.
pub(super) fn lies_in(directory: &Path) -> bool {
    let is_certificate = |entry: &PathBuf| {
        let stem = entry.file_stem().unwrap_or_default().to_string_lossy();
        let hash = stem.rsplit_once('-').map(|(_, hash)| hash).unwrap_or_default();
        let is_hash = (1..=16).contains(&hash.len()) && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        entry.extension().is_some_and(|extension| extension == "crt")
            && is_hash
            && entry.with_extension("key").is_file()
    };
    let is_named = directory.file_name().is_some_and(|name| name.to_string_lossy().starts_with("acme_"));
    directory.join("account.key").is_file() && (is_named || entries(directory).iter().any(is_certificate))
}

/// Reads a directory.
///
/// # Errors
/// When the path is no directory, or the directory can't be listed.
pub fn read(directory: &Path) -> Result<Found, ReadError> {
    let tree = Tree::open(directory)?;
    let mut found = Found::default();
    for chain in tree.list(&tree.path(""))? {
        if chain.extension().is_some_and(|extension| extension == "crt") {
            let key = chain.with_extension("key");
            found.take_files(&tree, PairFiles { certificate: &chain, key: &key, names: Vec::new(), ca_server: None });
        }
    }
    if tree.path("account.key").is_file() {
        found.accounts.push(FoundAccount {
            place: "account.key".into(),
            resolver: None,
            ca_server: None,
            email: String::new(),
            registration: None,
            eab_kid: None,
            key: Err("nginx does not keep its URL at the CA".into()),
        });
    }
    found.warnings.extend(tree.warnings());
    Ok(found)
}
