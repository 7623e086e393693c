//! The contract that every store keeps: records with revisions, changes under a fence, and a watch.
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

/// Keeps records: accounts, certificates, what is in progress, and what CAs were asked for.
///
/// - Absence is an answer (`Ok(None)`), never an error.
/// - Every record has a [`Revision`]. A [`Change`] names the one it was made on, [`Revision::ABSENT`] when the record
///   is to be new, and MUST be refused with [`CommitError::Conflict`] when the record has another one by now.
/// - A change to the content that is there already MUST succeed, and MUST NOT count as a change.
/// - Reads MUST see every commit that has returned, also one that returned [`CommitError::Unsaved`].
/// - Every call may be dropped half-way; what it began is then either done or not, never half done.
pub trait Store: Send + Sync {
    /// A resolver's account at a CA: the one that is bound to the external account with this key identifier. Without
    /// one, the account in use if it is there, else any.
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

    /// All certificates. Those that can't be read are kept, but not listed.
    fn certificates(&self) -> BoxFuture<'_, Result<Vec<Certificate>, StoreError>>;

    /// What is in progress for the certificate of these names.
    fn progress<'a>(&'a self, key: &'a CertificateId)
    -> BoxFuture<'a, Result<Option<Versioned<Progress>>, StoreError>>;

    /// All that is in progress.
    fn all_progress(&self) -> BoxFuture<'_, Result<Vec<Progress>, StoreError>>;

    /// What the resolvers' accounts at a CA have asked it for: the resolvers' names, each once, and their ledgers.
    fn ledgers<'a>(&'a self, ca: &'a CaOrigin) -> BoxFuture<'a, Result<Ledgers, StoreError>>;

    /// The ledgers of all resolvers and CAs.
    fn all_ledgers(&self) -> BoxFuture<'_, Result<AllLedgers, StoreError>>;

    /// Makes changes under the lease with this fence. When it returns `Ok` they are durable.
    ///
    /// They SHOULD be made, and be seen by reads, when the answer is polled for the first time; what is waited for then
    /// is that they are durable. The fence MUST be checked in one step with the changes. They SHOULD be made all or none; a store that can't
    /// makes them in their order, so the caller puts them in one in which every prefix makes sense.
    fn commit(&self, fence: Fence, changes: Vec<Change>) -> BoxFuture<'_, Result<(), CommitError>>;

    /// Takes the lease or keeps it. A new holding's fence MUST be higher than all before, also over restarts.
    fn claim(&self, claim: Claim) -> BoxFuture<'_, Result<protocol::Lease, StoreError>>;

    /// Whether this is the fence of the current holding. For what is changed outside of the store; a commit checks by
    /// itself.
    fn check(&self, fence: Fence) -> Result<(), CommitError>;

    /// Who holds the lease.
    fn lease(&self) -> LeaseStatus;

    /// The keys of certificates as they change. A receiver that is told it lagged MUST read all again.
    fn watch(&self) -> broadcast::Receiver<CertificateId>;

    /// Every place where something is kept, and whether changes can be made durable there, as far as is known. One
    /// that can't be written MUST NOT keep the others' changes from being made durable.
    fn storages(&self) -> Vec<StorageStatus>;

    /// Tries once, now, to make durable what could not be made so before. Whether it is shows in [`Store::storages`].
    fn retry(&self) -> BoxFuture<'_, ()>;

    /// Makes durable what is not yet, and ends. Later commits fail.
    fn close(&self) -> BoxFuture<'_, Result<(), CommitError>>;
}

/// Ledgers by the names of their resolvers.
pub type Ledgers = Vec<(String, Versioned<Arc<Ledger>>)>;

/// A resolver's name, a CA, and what the one has asked the other for.
pub type AllLedgers = Vec<(String, CaOrigin, Arc<Ledger>)>;

/// A record with its revision.
#[derive(Clone)]
pub struct Versioned<T> {
    /// Another one after every change.
    pub revision: Revision,
    /// The record.
    pub value: T,
}

/// Which state of a record is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision(pub(crate) u64);

impl Revision {
    /// The revision of a record that is not there.
    pub const ABSENT: Self = Self(0);

    /// The revision of what was read.
    pub fn of<T>(read: Option<&Versioned<T>>) -> Self {
        read.map_or(Self::ABSENT, |versioned| versioned.revision)
    }
}

/// How one of the places is doing where records are kept.
#[derive(Clone, Debug)]
pub struct StorageStatus {
    /// Which one it is, for a person: its path.
    pub place: String,
    /// The resolvers whose own it is; none when it is for all that have none of their own.
    pub resolvers: Vec<String>,
    /// Whether it can be written.
    pub disk: DiskStatus,
    /// What is wrong with what is kept there, a line each, for a person.
    pub faults: Vec<String>,
}

/// One change of one record.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "a change lives as long as its commit, and there are two in one at most")]
pub enum Change {
    /// Stores a resolver's account, and makes it the one in use. Those at other CAs, or that are bound to other external
    /// accounts, are set aside.
    Account {
        /// The resolver's name.
        resolver: String,
        /// The revision this is based on.
        expected: Revision,
        /// What is to be stored.
        account: Account,
    },
    /// Stores a certificate.
    Certificate {
        /// The revision this is based on.
        expected: Revision,
        /// What is to be stored.
        certificate: Certificate,
    },
    /// Stores what a resolver's account has asked a CA for. An empty one is removed.
    Ledger {
        /// The resolver's name.
        resolver: String,
        /// The CA.
        ca: CaOrigin,
        /// The revision this is based on.
        expected: Revision,
        /// What is to be stored.
        ledger: Arc<Ledger>,
    },
    /// Stores what is in progress. An empty one is removed.
    Progress {
        /// The revision this is based on.
        expected: Revision,
        /// What is to be stored.
        progress: Progress,
    },
}

impl Change {
    /// The name of the resolver whose record it is.
    pub fn resolver(&self) -> &str {
        match self {
            Self::Account { resolver, .. } | Self::Ledger { resolver, .. } => resolver,
            Self::Certificate { certificate, .. } => &certificate.facts.resolver,
            Self::Progress { progress, .. } => &progress.id.resolver,
        }
    }
}

/// Why nothing can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The storage is away. The text says where it was looked for and what happened.
    Unavailable(String),
}

/// Why a commit did not do all it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitError {
    /// A record is no longer what the change is based on: nothing was changed. Read again.
    Conflict,
    /// The lease is no longer, or never was, the one with this fence: nothing was changed.
    FenceLost,
    /// The storage is away: nothing was changed. The text says what happened.
    Unavailable(String),
    /// The changes are made and can be read, but are not durable. The store goes on trying by itself. The text says
    /// what keeps it from it.
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
