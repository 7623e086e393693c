//! Background tasks: renewalInfo requests, saving renewal records, and reading the stored state again.

use super::ari::AriAnswer;
use super::unsaved::Unsaved;
use crate::state_store::{StateStore, StateStoreError};
use protocol::State;

/// The result of a background task.
pub(super) enum BackgroundDone {
    Read(Result<State, StateStoreError>),
    Saved(Result<(), StateStoreError>),
    Answered { place: usize, serial: String, answer: AriAnswer },
}

/// Saves records that the scheduler has changed.
pub(super) async fn save<V: StateStore>(
    store: &V,
    Unsaved { renewals, unwanted }: Unsaved,
) -> Result<(), StateStoreError> {
    if !renewals.is_empty() {
        store.save_renewals(renewals).await?;
    }
    if !unwanted.is_empty() {
        store.save_unwanted(unwanted).await?;
    }
    Ok(())
}
