//! Reads the user's certificates again when their files change.

use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::Provided;
use crate::catalog::Catalog;

/// A pair is two files, often written one after the other: wait until nothing has happened for this long.
const QUIET: Duration = Duration::from_millis(250);
/// But no longer than this.
const LONGEST_UNREST: Duration = Duration::from_secs(2);
/// How often it is read without having been told: not every file system tells, nor every link.
const UNTOLD: Duration = Duration::from_secs(60);

/// Reads, then waits for a change, and so on. Runs until it is dropped.
pub(super) async fn keep_current(mut provided: Provided, catalog: Arc<Catalog>) {
    let (told, mut events) = mpsc::channel(1);
    // Dropping it would end the watch.
    let _watcher = watch(&provided, &told);
    loop {
        let catalog = catalog.clone();
        let reading = tokio::task::spawn_blocking(move || {
            provided.read(&catalog);
            provided
        });
        match reading.await {
            Ok(read) => provided = read,
            // The runtime is shutting down, or the reading panicked, which would be a bug: what was read stays served.
            Err(error) => return tracing::error!(%error, "certificate files are no longer watched"),
        }
        wait(&mut events).await;
    }
}

/// Ends when something has changed and things are quiet again, or after [`UNTOLD`].
async fn wait(events: &mut mpsc::Receiver<()>) {
    if timeout_at(Instant::now() + UNTOLD, events.recv()).await.is_err() {
        return;
    }
    let latest = Instant::now() + LONGEST_UNREST;
    while timeout_at(latest.min(Instant::now() + QUIET), events.recv()).await.is_ok() && Instant::now() < latest {}
}

fn watch(provided: &Provided, told: &mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let told = told.clone();
    let on_event = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| is_change(event.kind)) {
            // When there is no room, somebody has been told already.
            let _ = told.try_send(());
        }
    };
    let mut watcher = match notify::recommended_watcher(on_event) {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "certificate files can't be watched; they are read again every {UNTOLD:?}");
            return None;
        }
    };
    for (directory, mode) in provided.watched() {
        if let Err(error) = watcher.watch(directory, mode) {
            tracing::warn!(directory = %directory.display(), %error, "can't be watched; it is read again every {UNTOLD:?}");
        }
    }
    Some(watcher)
}

/// Our own reading is none.
fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}
