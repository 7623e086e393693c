//! Opens the store that the storages name.

use crate::lease::LeaseBounds;
use crate::store::Store;
use crate::{FileStore, OpenError, Storages};
use base::clock::Clock;
use std::sync::Arc;

/// Opens the store that is meant. Today it is always one in files; whoever works with a store knows the contract alone. It
/// blocks.
///
/// # Errors
/// When it can't be used; it is as it was then.
pub fn open(storages: &Storages, bounds: LeaseBounds, clock: Clock) -> Result<Arc<dyn Store>, OpenError> {
    Ok(Arc::new(FileStore::open(storages, bounds, clock)?))
}
