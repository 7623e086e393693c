//! Background tasks: renewalInfo requests, saving renewal records, and reading the stored state again.

use acme::Host;

use super::ari::{AriAnswer, ask};
use super::session::Session;
use super::unsaved::Unsaved;
use crate::state_store::{StateStore, StateStoreError};
use protocol::State;

/// A thing to be done.
pub(super) enum BackgroundTask<'c, 'a, H, V> {
    /// Ask the CA of the certificate whose record stands at this place.
    Ask { session: &'c Session<'a, H, V>, place: usize, serial: String, renewal_id: String },
    /// Read again what is stored.
    Read { store: &'a V },
    /// Save this.
    Save { store: &'a V, unsaved: Unsaved },
}

/// The result of a background task.
pub(super) enum BackgroundDone {
    Read(Result<State, StateStoreError>),
    Saved(Result<(), StateStoreError>),
    Answered { place: usize, serial: String, answer: AriAnswer },
}

/// Does it.
pub(super) async fn perform<H: Host, V: StateStore>(task: BackgroundTask<'_, '_, H, V>) -> BackgroundDone {
    match task {
        BackgroundTask::Ask { session, place, serial, renewal_id } => {
            BackgroundDone::Answered { place, serial, answer: ask(session, &renewal_id).await }
        }
        BackgroundTask::Read { store } => BackgroundDone::Read(store.state().await),
        BackgroundTask::Save { store, unsaved } => BackgroundDone::Saved(save(store, unsaved).await),
    }
}

async fn save<V: StateStore>(store: &V, Unsaved { renewals, unwanted }: Unsaved) -> Result<(), StateStoreError> {
    if !renewals.is_empty() {
        store.save_renewals(renewals).await?;
    }
    if !unwanted.is_empty() {
        store.save_unwanted(unwanted).await?;
    }
    Ok(())
}
