//! The files while no sidecar uses them: locked and read at once, changed in memory, written at the end; or read only.
//!
//! No engine's lease can be lost here, so changes bear no fence.

use std::path::PathBuf;

use super::one::Opened;
use super::{OpenError, Storages, adopt, read_all};
use crate::Account;
use crate::record::{CaOrigin, Certificate};
use crate::store::{Change, CommitError, Versioned};
use base::clock::Clock;
use protocol::CertificateId;

/// The files of all resolvers, locked as a sidecar would.
#[derive(Default)]
pub struct Offline {
    /// The files, the default one first, with the resolvers that have it as their own.
    files: Vec<(Opened, Vec<String>)>,
}

impl Offline {
    /// Locks and reads the files. Nothing is written but a lock file next to each; a missing file is empty. Blocks.
    ///
    /// # Errors
    /// When one of them can't be used: because a sidecar uses it, for example.
    pub fn open(storages: &Storages, clock: &Clock) -> Result<Self, OpenError> {
        let mut files = read_all(storages, |path| Opened::read(path, clock))?;
        adopt(&mut files);
        Ok(Self { files })
    }

    /// Reads the files without locks: a sidecar may be using them. Nothing is written, nothing can be saved, and a
    /// missing file is empty. Blocks.
    ///
    /// # Errors
    /// When one of them can't be used.
    pub fn look(storages: &Storages) -> Result<Self, OpenError> {
        let mut files = read_all(storages, Opened::look)?;
        adopt(&mut files);
        Ok(Self { files })
    }

    /// A resolver's account at a CA, whatever external account it is bound to.
    pub fn account(&self, resolver: &str, ca: &CaOrigin) -> Option<Versioned<Account>> {
        self.file_of(resolver)?.records.account(resolver, ca, None)
    }

    /// The certificate of these names.
    pub fn certificate(&self, key: &CertificateId) -> Option<&Versioned<Certificate>> {
        self.file_of(&key.resolver)?.records.certificate(key)
    }

    /// Makes all changes in memory, or none.
    ///
    /// # Errors
    /// When a record has another revision than a change expects.
    pub fn make(&mut self, changes: Vec<Change>) -> Result<(), CommitError> {
        let mut parts: Vec<Vec<Change>> = self.files.iter().map(|_| Vec::new()).collect();
        for change in changes {
            let place = self.place_of(change.resolver());
            parts.get_mut(place).ok_or_else(|| CommitError::Unavailable("no file is open".into()))?.push(change);
        }
        let needed = self.files.iter().zip(parts).map(|((file, _), part)| file.records.needed(part));
        let needed: Vec<_> = needed.collect::<Result<_, _>>()?;
        for ((file, _), needed) in self.files.iter_mut().zip(needed) {
            file.records.make(needed);
        }
        Ok(())
    }

    /// Writes the changed files, and releases all. Blocks.
    ///
    /// # Errors
    /// When a file can't be written: that file is unchanged, and those before it are written.
    pub fn save(self) -> Result<Vec<PathBuf>, OpenError> {
        let mut written = Vec::new();
        for (mut file, _) in self.files {
            if file.is_changed() {
                file.write()?;
                written.push(file.path().to_owned());
            }
        }
        Ok(written)
    }

    fn file_of(&self, resolver: &str) -> Option<&Opened> {
        self.files.get(self.place_of(resolver)).map(|(file, _)| file)
    }

    fn place_of(&self, resolver: &str) -> usize {
        let is_own = |(_, resolvers): &(Opened, Vec<String>)| resolvers.iter().any(|own| own == resolver);
        self.files.iter().position(is_own).unwrap_or_default()
    }
}
