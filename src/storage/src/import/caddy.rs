//! Caddy's data directory (also of other users of certmagic).
//!
//! | path | what it is |
//! |---|---|
//! | `certificates/ISSUER/SITE/SITE.crt`, `.key`, `.json` | a certificate, its key, and its metadata |
//! | `acme/ISSUER/sites/SITE/SITE.crt`, `.key`, `.json` | the same, as Caddy 1 and the betas of Caddy 2 kept it |
//! | `acme/ISSUER/users/EMAIL/USER.json`, `.key` | an account: P-256 as Caddy makes them |

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::account_key;
use super::found::{Found, FoundAccount, PairFiles, mail};
use super::tree::{ReadError, Tree, entries};
use crate::Registration;

/// True for Caddy's directory: one directory for each issuer, with one for each site or user.
pub(super) fn lies_in(directory: &Path) -> bool {
    let holds_directories = |directory: &Path| entries(directory).iter().any(|entry| entry.is_dir());
    let is_issuer = |issuer: &PathBuf| holds_directories(issuer);
    let has_accounts = |issuer: &PathBuf| ["sites", "users"].iter().any(|name| issuer.join(name).is_dir());
    entries(&directory.join("certificates")).iter().any(is_issuer)
        || entries(&directory.join("acme")).iter().any(has_accounts)
}

/// Reads a directory.
///
/// # Errors
/// When the path is no directory, or the directory can't be listed.
pub fn read(directory: &Path) -> Result<Found, ReadError> {
    let tree = Tree::open(directory)?;
    let mut found = Found::default();
    for issuer in tree.directories(&tree.path("certificates"))? {
        for site in tree.directories(&issuer)? {
            certificate(&tree, &issuer, &site, &mut found);
        }
    }
    for issuer in tree.directories(&tree.path("acme"))? {
        for site in tree.directories(&issuer.join("sites"))? {
            certificate(&tree, &issuer, &site, &mut found);
        }
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

fn certificate(tree: &Tree, issuer: &Path, site: &Path, found: &mut Found) {
    let name = site.file_name().unwrap_or_default().to_string_lossy();
    let file = |extension: &str| site.join(format!("{name}.{extension}"));
    let chain = file("crt");
    let key = file("key");
    let known = tree.read(&file("json")).ok().flatten().and_then(|json| metadata(&json));
    // Caddy 1 and the betas of Caddy 2 did not store certificates of their own CA.
    let is_old = issuer.parent().is_some_and(|parent| parent.ends_with("acme"));
    if known.as_ref().is_some_and(|known| known.is_internal && !is_old) {
        let why = "it is from Caddy's internal CA; only certificates from ACME CAs are taken";
        return found.leave_out(tree.place(&chain), why);
    }
    let (names, ca_server) = known.map(|known| (known.names, known.ca_server)).unwrap_or_default();
    let ca_server = ca_server.or_else(|| server(issuer));
    found.take_files(tree, PairFiles { certificate: &chain, key: &key, names, ca_server });
}

/// The CA's directory URL, from the issuer's directory, which has hyphens for slashes.
fn server(issuer: &Path) -> Option<String> {
    let name = issuer.file_name()?.to_str()?;
    Some(format!("https://{}/", name.strip_suffix("-directory").unwrap_or(name)))
}

/// The metadata of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The names of its order.
    pub names: Vec<String>,
    /// True if Caddy's own CA issued it.
    pub is_internal: bool,
    /// The CA's directory URL, or the certificate's own URL.
    pub ca_server: Option<String>,
}

/// Parses `SITE.json`; `None` for anything else.
pub fn metadata(json: &[u8]) -> Option<Metadata> {
    #[derive(Deserialize)]
    struct Resource {
        #[serde(default)]
        sans: Option<Vec<String>>,
        /// The issuer's own data: URLs of a CA, nothing of Caddy's own CA.
        #[serde(default)]
        issuer_data: Option<Value>,
        /// The certificate's URL, in the files of Caddy 1 and lego.
        #[serde(default, rename = "certUrl")]
        cert_url: Option<String>,
    }
    let resource: Resource = serde_json::from_slice(json).ok()?;
    let data = |member: &str| resource.issuer_data.as_ref()?.get(member)?.as_str().map(str::to_owned);
    let ca_server = data("ca").or_else(|| data("url")).or(resource.cert_url);
    let names = resource.sans.unwrap_or_default();
    Some(Metadata { names, is_internal: resource.issuer_data.is_none(), ca_server })
}

fn taken(tree: &Tree, file: &Path) -> FoundAccount {
    let registration = tree.read(file).ok().flatten().and_then(|json| account(&json));
    let key = tree.read_key(&file.with_extension("key")).map_err(|error| error.what);
    FoundAccount {
        place: tree.place(file),
        resolver: None,
        ca_server: None,
        email: mail(registration.as_ref()),
        registration,
        eab_kid: None,
        key: key.and_then(|pem| account_key::from_pem(&pem)),
    }
}

/// Parses `USER.json`; `None` for anything else, or without an account.
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
    fn a_certificate_of_the_internal_ca_is_reported() {
        let read = |json: &str| metadata(json.as_bytes());
        let metadata = |name: &str, is_internal, ca_server: Option<&str>| {
            let names = vec![name.to_owned()];
            let ca_server = ca_server.map(str::to_owned);
            Some(Metadata { names, is_internal, ca_server })
        };
        let url = "https://ca.example/cert/1";
        let from_ca = r#"{"sans": ["a.example"], "issuer_data": {"url": "https://ca.example/cert/1"}}"#;
        assert_eq!(read(from_ca), metadata("a.example", false, Some(url)));
        let internal = r#"{"sans": ["localhost"], "issuer_data": null}"#;
        assert_eq!(read(internal), metadata("localhost", true, None));
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
