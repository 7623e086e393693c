//! Opens the configured store.

use std::sync::Arc;

use base::clock::Clock;

use crate::file::{FileStore, OpenError, Storages};
use crate::lease::LeaseBounds;
use crate::store::Store;

/// Opens the configured store. Today this is always a store in files; callers know the contract alone. Blocks.
///
/// # Errors
/// When it can't be used; it is as it was then.
pub fn open(storages: &Storages, bounds: LeaseBounds, clock: Clock) -> Result<Arc<dyn Store>, OpenError> {
    Ok(Arc::new(FileStore::open(storages, bounds, clock)?))
}
