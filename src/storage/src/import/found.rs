//! What lies in another tool's files, before anybody has judged whether it is any good.

use std::path::Path;

use super::tree::{ReadError, Tree};
use crate::Registration;
use pki::secret::Secret;

/// The most certificates that are taken from one source: a bound on memory, some 10 KiB each.
pub const MAX_CERTIFICATES: usize = 100_000;

/// What a source holds. No Debug: there are keys in it.
#[derive(Default)]
pub struct Found {
    /// Certificates with their keys.
    pub certificates: Vec<FoundCertificate>,
    /// Accounts at CAs.
    pub accounts: Vec<FoundAccount>,
    /// Certificates that can't be read.
    pub unreadable: Vec<Unreadable>,
    /// What users should know besides.
    pub warnings: Vec<String>,
}

/// A certificate with its key.
pub struct FoundCertificate {
    /// Where it lies: a path from the source's root on, or a path in a file.
    pub place: String,
    /// The resolver the source names.
    pub resolver: Option<String>,
    /// What it was ordered for; nothing where the source does not say.
    pub names: Vec<String>,
    /// A URL of the CA that it was ordered at, where the source has one: its directory's, or the certificate's own.
    pub ca_server: Option<String>,
    /// The chain, leaf first.
    pub chain_pem: String,
    /// The key, in PEM.
    pub key_pem: Secret,
}

/// An account at a CA.
pub struct FoundAccount {
    /// Where it lies.
    pub place: String,
    /// The resolver the source names.
    pub resolver: Option<String>,
    /// The CA's directory URL, where the source has it.
    pub ca_server: Option<String>,
    /// The contact; empty where the source does not say.
    pub email: String,
    /// What the CA knows of it.
    pub registration: Option<Registration>,
    /// The external account that it is bound to, by its key identifier, where the source has it.
    pub eab_kid: Option<String>,
    /// The key as PKCS#8 DER, or why it can't sign requests here.
    pub key: Result<Secret, String>,
}

/// Something that is left out, whatever it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where it lies.
    pub place: String,
    /// The resolver the source names.
    pub resolver: Option<String>,
    /// What is wrong with it.
    pub why: String,
}

/// A pair of files.
pub(super) struct PairFiles<'a> {
    /// The one with the chain.
    pub(super) certificate: &'a Path,
    /// The one with the key.
    pub(super) key: &'a Path,
    /// What the certificate was ordered for, if that is known.
    pub(super) names: Vec<String>,
    /// A URL of its CA, if that is known.
    pub(super) ca_server: Option<String>,
}

impl Found {
    /// True when there is nothing in it, not even something to leave out.
    pub(super) fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.accounts.is_empty() && self.unreadable.is_empty()
    }

    /// Keeps what lies below a path from the source's root on. Accounts are the whole source's.
    pub(super) fn keep(&mut self, part: &Path) {
        self.certificates.retain(|certificate| Path::new(&certificate.place).starts_with(part));
        self.unreadable.retain(|unreadable| Path::new(&unreadable.place).starts_with(part));
        self.accounts.clear();
    }

    /// Takes a pair in; what can't be read is noted.
    pub(super) fn take_files(&mut self, tree: &Tree, files: PairFiles<'_>) {
        let issuer = None;
        self.take_pair(tree, files, issuer);
    }

    /// The same, of a tool that may keep the issuer's certificate in a file of its own alone: visitors need both.
    pub(super) fn take_files_with_issuer(&mut self, tree: &Tree, files: PairFiles<'_>, issuer: &Path) {
        self.take_pair(tree, files, Some(issuer));
    }

    fn take_pair(&mut self, tree: &Tree, files: PairFiles<'_>, issuer: Option<&Path>) {
        let place = tree.place(files.certificate);
        let read = || -> Result<(String, Secret), ReadError> {
            let gone = || ReadError { path: files.certificate.to_owned(), what: "there is no such file".into() };
            let chain = tree.read(files.certificate)?.ok_or_else(gone)?;
            let key = tree.read_key(files.key)?;
            // PEM is ASCII; whatever else is in the file is not looked at.
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

    /// Takes a certificate in, as long as there is room.
    pub(super) fn take(&mut self, certificate: FoundCertificate) {
        if self.certificates.len() < MAX_CERTIFICATES {
            self.certificates.push(certificate);
        } else {
            self.leave_out(certificate.place, format!("there are more than {MAX_CERTIFICATES} certificates"));
        }
    }

    /// Notes something that can't be read.
    pub(super) fn leave_out(&mut self, place: String, why: impl ToString) {
        self.unreadable.push(Unreadable { place, resolver: None, why: why.to_string() });
    }
}

/// The first address that an account names as its contact; empty where there is none.
pub(super) fn mail(registration: Option<&Registration>) -> String {
    let contact = registration.into_iter().flat_map(|registration| &registration.contact);
    contact.filter_map(|contact| contact.strip_prefix("mailto:")).next().unwrap_or_default().to_owned()
}
