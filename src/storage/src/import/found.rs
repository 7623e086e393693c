//! The content of another tool's files, before it is judged.

use std::path::Path;

use super::tree::{ReadError, Tree};
use crate::Registration;
use pki::secret::Secret;

/// The most certificates that are taken from one source: a bound on memory, some 10 KiB each.
pub const MAX_CERTIFICATES: usize = 100_000;

/// The content of a source. No Debug: it holds keys.
#[derive(Default)]
pub struct Found {
    /// Certificates with their keys.
    pub certificates: Vec<FoundCertificate>,
    /// Accounts at CAs.
    pub accounts: Vec<FoundAccount>,
    /// Certificates that can't be read.
    pub unreadable: Vec<Unreadable>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// A certificate with its key.
pub struct FoundCertificate {
    /// The place in the source: a path from its root on, or a path in a file.
    pub place: String,
    /// The resolver that the source names.
    pub resolver: Option<String>,
    /// The names of its order; empty where the source does not say.
    pub names: Vec<String>,
    /// A URL of the CA, where the source has one: its directory's, or the certificate's own.
    pub ca_server: Option<String>,
    /// The chain, leaf first.
    pub chain_pem: String,
    /// The key, in PEM.
    pub key_pem: Secret,
}

/// An account at a CA.
pub struct FoundAccount {
    /// The place in the source.
    pub place: String,
    /// The resolver that the source names.
    pub resolver: Option<String>,
    /// The CA's directory URL, where the source has it.
    pub ca_server: Option<String>,
    /// The contact; empty where the source does not say.
    pub email: String,
    /// The CA's answer to the registration.
    pub registration: Option<Registration>,
    /// The external account that the account is bound to, by its key identifier, where the source has it.
    pub eab_kid: Option<String>,
    /// The key as PKCS#8 DER, or the reason why it can't be used here.
    pub key: Result<Secret, String>,
}

/// A certificate or account that is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The place in the source.
    pub place: String,
    /// The resolver that the source names.
    pub resolver: Option<String>,
    /// The reason.
    pub why: String,
}

/// A pair of files.
pub(super) struct PairFiles<'a> {
    /// The file with the chain.
    pub(super) certificate: &'a Path,
    /// The file with the key.
    pub(super) key: &'a Path,
    /// The names of the order, if known.
    pub(super) names: Vec<String>,
    /// A URL of the CA, if known.
    pub(super) ca_server: Option<String>,
}

impl Found {
    /// True for an empty source, without even an unreadable file.
    pub(super) fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.accounts.is_empty() && self.unreadable.is_empty()
    }

    /// Keeps only the certificates below a path. Accounts belong to the whole source.
    pub(super) fn keep(&mut self, part: &Path) {
        self.certificates.retain(|certificate| Path::new(&certificate.place).starts_with(part));
        self.unreadable.retain(|unreadable| Path::new(&unreadable.place).starts_with(part));
        self.accounts.clear();
    }

    /// Reads and adds a pair of files; a failure is recorded.
    pub(super) fn take_files(&mut self, tree: &Tree, files: PairFiles<'_>) {
        let issuer = None;
        self.take_pair(tree, files, issuer);
    }

    /// The same for a tool that may keep the issuer's certificate in a separate file only: visitors need both.
    pub(super) fn take_files_with_issuer(&mut self, tree: &Tree, files: PairFiles<'_>, issuer: &Path) {
        self.take_pair(tree, files, Some(issuer));
    }

    fn take_pair(&mut self, tree: &Tree, files: PairFiles<'_>, issuer: Option<&Path>) {
        let place = tree.place(files.certificate);
        let read = || -> Result<(String, Secret), ReadError> {
            let gone = || ReadError { path: files.certificate.to_owned(), what: "there is no such file".into() };
            let chain = tree.read(files.certificate)?.ok_or_else(gone)?;
            let key = tree.read_key(files.key)?;
            // PEM is ASCII; other text in the file is ignored.
            let mut chain = String::from_utf8_lossy(&chain).into_owned();
            if chain.matches("BEGIN CERTIFICATE").count() == 1 {
                let issuer = issuer.and_then(|issuer| tree.read(issuer).ok().flatten()).unwrap_or_default();
                chain = format!("{chain}\n{}", String::from_utf8_lossy(&issuer));
            }
            Ok((chain, Secret::new(key)))
        };
        match read() {
            Ok((chain_pem, key_pem)) => {
                let PairFiles { names, ca_server, .. } = files;
                self.take(FoundCertificate { place, resolver: None, names, ca_server, chain_pem, key_pem });
            }
            Err(error) => self.leave_out(place, format!("{}: {}", tree.place(&error.path), error.what)),
        }
    }

    /// Adds a certificate, as long as there is room.
    pub(super) fn take(&mut self, certificate: FoundCertificate) {
        if self.certificates.len() < MAX_CERTIFICATES {
            self.certificates.push(certificate);
        } else {
            self.leave_out(certificate.place, format!("there are more than {MAX_CERTIFICATES} certificates"));
        }
    }

    /// Records something unreadable.
    pub(super) fn leave_out(&mut self, place: String, why: impl ToString) {
        self.unreadable.push(Unreadable { place, resolver: None, why: why.to_string() });
    }
}

/// The first mail address among an account's contacts; empty where there is none.
pub(super) fn mail(registration: Option<&Registration>) -> String {
    let contact = registration.into_iter().flat_map(|registration| &registration.contact);
    contact.filter_map(|contact| contact.strip_prefix("mailto:")).next().unwrap_or_default().to_owned()
}
