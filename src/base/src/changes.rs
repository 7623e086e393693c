//! Waits for changes of files.
//!
//! Promises: a change is told once things are quiet again, since files are often written one after the other; one that
//! the file system does not tell of is found all the same, a little later.

use std::path::Path;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Several files are often written one after the other: wait until nothing has happened for this long.
const QUIET: Duration = Duration::from_millis(250);
/// But no longer than this.
const LONGEST_UNREST: Duration = Duration::from_secs(2);
/// How often there may be a change without having been told: not every file system tells, nor every link.
const UNTOLD: Duration = Duration::from_secs(60);

/// A watch over files and directories; it ends when this is dropped.
pub struct Changes {
    events: mpsc::Receiver<()>,
    /// Something has changed that nobody has been told of yet.
    is_unrest: bool,
    // Held for both: without a sender nobody would wait, without a watcher nobody would send.
    _told: mpsc::Sender<()>,
    _watcher: Option<RecommendedWatcher>,
}

impl Changes {
    /// Watches these. What can't be watched is looked at now and then.
    pub fn of<'a>(paths: impl IntoIterator<Item = (&'a Path, RecursiveMode)>) -> Self {
        let (told, events) = mpsc::channel(1);
        Self { _watcher: watch(paths, &told), events, is_unrest: false, _told: told }
    }

    /// Ends when something has changed and things are quiet again, or when it is time to look without having been told.
    /// Nothing is lost when this is dropped half-way.
    pub async fn next(&mut self) {
        if !self.is_unrest && timeout_at(Instant::now() + UNTOLD, self.events.recv()).await.is_err() {
            return;
        }
        self.is_unrest = true;
        let latest = Instant::now() + LONGEST_UNREST;
        while timeout_at(latest.min(Instant::now() + QUIET), self.events.recv()).await.is_ok()
            && Instant::now() < latest
        {}
        self.is_unrest = false;
    }
}

fn watch<'a>(
    paths: impl IntoIterator<Item = (&'a Path, RecursiveMode)>,
    told: &mpsc::Sender<()>,
) -> Option<RecommendedWatcher> {
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
            tracing::warn!(%error, "files can't be watched; they are looked at every {UNTOLD:?}");
            return None;
        }
    };
    for (path, mode) in paths {
        if let Err(error) = watcher.watch(path, mode) {
            tracing::warn!(path = %path.display(), %error, "can't be watched; it is looked at every {UNTOLD:?}");
        }
    }
    Some(watcher)
}

/// Our own reading is none.
fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}
