//! The contract of every store: records with revisions, changes under a fence, and a watch.
//!
//! `contract.rs` runs it against each implementation.

use std::sync::Arc;

use engine::ledger::Ledger;
use futures::future::BoxFuture;
use protocol::CertificateId;
use tokio::sync::broadcast;

use crate::disk_status::DiskStatus;
use crate::lease::{Claim, Fence, LeaseStatus};
use crate::record::{Account, CaOrigin, Certificate, Progress};

/// A store of records: accounts, certificates, records in progress, and ledgers of requests to CAs.
///
/// - Absence is an answer (`Ok(None)`), never an error.
/// - Every record has a [`Revision`]. A [`Change`] names the one it was made on, [`Revision::ABSENT`] when the record
///   is to be new, and MUST be refused with [`CommitError::Conflict`] when the record has another one by now.
/// - A change to the content that is there already MUST succeed, and MUST NOT count as a change.
/// - Reads MUST see every commit that has returned, also one that returned [`CommitError::Unsaved`].
/// - Every call may be dropped half-way; its work is then either done or not, never half done.
pub trait Store: Send + Sync {
    /// A resolver's account at a CA, bound to the external account with this key identifier. Without a key identifier,
    /// the account in use if it is at that CA, else any.
    fn account<'a>(
        &'a self,
        resolver: &'a str,
        ca: &'a CaOrigin,
        eab_kid: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<Versioned<Account>>, StoreError>>;

    /// The certificate of these names.
    fn certificate<'a>(
        &'a self,
        key: &'a CertificateId,
    ) -> BoxFuture<'a, Result<Option<Versioned<Certificate>>, StoreError>>;

    /// All certificates. Unreadable ones are kept, but not listed.
    fn certificates(&self) -> BoxFuture<'_, Result<Vec<Certificate>, StoreError>>;

    /// The record in progress of the certificate of these names.
    fn progress<'a>(&'a self, key: &'a CertificateId)
    -> BoxFuture<'a, Result<Option<Versioned<Progress>>, StoreError>>;

    /// All records in progress.
    fn all_progress(&self) -> BoxFuture<'_, Result<Vec<Progress>, StoreError>>;

    /// The ledgers of all resolvers that have an account at this CA.
    fn ledgers<'a>(&'a self, ca: &'a CaOrigin) -> BoxFuture<'a, Result<Ledgers, StoreError>>;

    /// The ledgers of all resolvers and CAs.
    fn all_ledgers(&self) -> BoxFuture<'_, Result<AllLedgers, StoreError>>;

    /// Makes changes under the lease with this fence. They are durable when it returns `Ok`.
    ///
    /// The changes SHOULD be made, and be seen by reads, on the first poll; the rest of the wait is for durability. The
    /// fence MUST be checked in one step with the changes. The changes SHOULD be made all or none; a store that can't
    /// makes them in their order, so the caller orders them such that every prefix makes sense.
    fn commit(&self, fence: Fence, changes: Vec<Change>) -> BoxFuture<'_, Result<(), CommitError>>;

    /// Takes or renews the lease. The fence of a new holding MUST be higher than all before, also over restarts.
    fn claim(&self, claim: Claim) -> BoxFuture<'_, Result<protocol::Lease, StoreError>>;

    /// Checks that this is the fence of the current holding, for changes outside of the store; a commit checks by
    /// itself.
    fn check(&self, fence: Fence) -> Result<(), CommitError>;

    /// The holder of the lease.
    fn lease(&self) -> LeaseStatus;

    /// The identities of certificates as they change. A receiver that lagged MUST read all certificates again.
    fn watch(&self) -> broadcast::Receiver<CertificateId>;

    /// All storages, each with its state as far as known. A storage that can't be written MUST NOT keep changes in the
    /// others from being made durable.
    fn storages(&self) -> Vec<StorageStatus>;

    /// Tries once, now, to make durable what failed before. [`Store::storages`] shows the result.
    fn retry(&self) -> BoxFuture<'_, ()>;

    /// Makes the remaining changes durable, and ends. Later commits fail.
    fn close(&self) -> BoxFuture<'_, Result<(), CommitError>>;
}

/// Ledgers, each with the name of its resolver.
pub type Ledgers = Vec<(String, Versioned<Arc<Ledger>>)>;

/// Ledgers, each with the name of its resolver and its CA.
pub type AllLedgers = Vec<(String, CaOrigin, Arc<Ledger>)>;

/// A record with its revision.
#[derive(Clone)]
pub struct Versioned<T> {
    /// The revision; every change makes another one.
    pub revision: Revision,
    /// The record.
    pub value: T,
}

/// The version of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision(pub(crate) u64);

impl Revision {
    /// The revision of a record that is not there.
    pub const ABSENT: Self = Self(0);

    /// The revision of a record that was read.
    pub fn of<T>(read: Option<&Versioned<T>>) -> Self {
        read.map_or(Self::ABSENT, |versioned| versioned.revision)
    }
}

/// State of one storage.
#[derive(Clone, Debug)]
pub struct StorageStatus {
    /// The storage's path, for a person.
    pub place: String,
    /// The resolvers that use this storage of their own; empty for the default one.
    pub resolvers: Vec<String>,
    /// State of the writes.
    pub disk: DiskStatus,
    /// Faults of the stored records, a line each, for a person.
    pub faults: Vec<String>,
}

/// One change of one record.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "a change lives as long as its commit, and there are two in one at most")]
pub enum Change {
    /// Stores a resolver's account, and makes it the one in use. Accounts at other CAs, or bound to other external
    /// accounts, are set aside.
    Account {
        /// The resolver's name.
        resolver: String,
        /// The revision this is based on.
        expected: Revision,
        /// The account.
        account: Account,
    },
    /// Stores a certificate.
    Certificate {
        /// The revision this is based on.
        expected: Revision,
        /// The certificate.
        certificate: Certificate,
    },
    /// Stores the ledger of a resolver's account at a CA. An empty ledger is removed.
    Ledger {
        /// The resolver's name.
        resolver: String,
        /// The CA.
        ca: CaOrigin,
        /// The revision this is based on.
        expected: Revision,
        /// The ledger.
        ledger: Arc<Ledger>,
    },
    /// Stores a record in progress. An empty record is removed.
    Progress {
        /// The revision this is based on.
        expected: Revision,
        /// The record.
        progress: Progress,
    },
}

impl Change {
    /// The name of the resolver that the record belongs to.
    pub fn resolver(&self) -> &str {
        match self {
            Self::Account { resolver, .. } | Self::Ledger { resolver, .. } => resolver,
            Self::Certificate { certificate, .. } => &certificate.facts.resolver,
            Self::Progress { progress, .. } => &progress.id.resolver,
        }
    }
}

/// Reason why nothing can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The storage is unavailable. The text says where and why.
    Unavailable(String),
}

/// Reason why a commit did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitError {
    /// A record has another revision than the change expects: nothing was changed. Read again.
    Conflict,
    /// The fence is not that of the current lease: nothing was changed.
    FenceLost,
    /// The storage is unavailable: nothing was changed. The text says why.
    Unavailable(String),
    /// The changes are made and can be read, but are not durable. The store keeps trying by itself. The text says what
    /// went wrong.
    Unsaved(String),
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "the storage can't be read: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}

impl std::fmt::Display for CommitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Conflict => f.write_str("the record was changed by somebody else in the meantime"),
            Self::FenceLost => f.write_str("the lease is held by somebody else, or by nobody"),
            Self::Unavailable(why) => write!(f, "the storage can't be reached: {why}"),
            Self::Unsaved(why) => write!(f, "the storage can't be written: {why}"),
        }
    }
}

impl std::error::Error for CommitError {}
