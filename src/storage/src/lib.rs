//! Storage of keys and state: the [`Store`] contract, its implementation in files, import and export.
//!
//! Promises: every record has a revision, so that a change made on an outdated view is refused and not merged; every
//! change bears the fence of the engine's lease, so that an engine that was suspended past its lease can change
//! nothing; every change is announced to watchers. Refuses: to judge the records. Certificates and requests are checked
//! by the caller.

#![forbid(unsafe_code)]

#[cfg(test)]
mod contract;
mod disk_status;
pub mod export;
mod file;
pub mod import;
mod lease;
mod open;
mod record;
mod store;

pub use disk_status::{DiskStatus, Writing};
#[doc(hidden)]
pub use file::fuzzing;
pub use file::{Damage, FileStore, Offline, OpenError, Reader, Storages, foreign};
pub use lease::{Claim, Fence, LeaseBounds, LeaseStatus};
pub use open::open;

pub use record::{Account, Begun, CaOrigin, Certificate, CountedAt, PendingKey, Permitted, Progress, Registration};
pub use store::{AllLedgers, Change, CommitError, Ledgers, Revision, StorageStatus, Store, StoreError, Versioned};
