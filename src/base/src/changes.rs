//! Waits for changes of files.
//!
//! Promises: a change is reported once no more follow, since files are often written one after the other; a change that
//! the file system does not report is found a little later.

use std::path::Path;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Quiet period to wait for after a change: several files are often written one after the other.
const QUIET: Duration = Duration::from_millis(250);
/// Maximum wait for a quiet period.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Interval of checks without a notification: some file systems, and some links, give none.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// A watch over files and directories; dropping it ends the watch.
pub struct Changes {
    events: mpsc::Receiver<()>,
    /// True if something has changed that has not been reported yet.
    has_changed: bool,
    // Both ends are kept: without the sender the receiver would not wait, without the watcher nothing would be sent.
    _sender: mpsc::Sender<()>,
    _watcher: Option<RecommendedWatcher>,
}

impl Changes {
    /// Watches these paths. Paths that can't be watched are checked at intervals.
    pub fn of<'a>(paths: impl IntoIterator<Item = (&'a Path, RecursiveMode)>) -> Self {
        let (sender, events) = mpsc::channel(1);
        Self { _watcher: watch(paths, &sender), events, has_changed: false, _sender: sender }
    }

    /// Waits until something has changed and a quiet period has passed, or until the next check without a notification
    /// is due. Cancel-safe.
    pub async fn next(&mut self) {
        if !self.has_changed && timeout_at(Instant::now() + CHECK_INTERVAL, self.events.recv()).await.is_err() {
            return;
        }
        self.has_changed = true;
        let latest = Instant::now() + LONGEST_WAIT;
        while timeout_at(latest.min(Instant::now() + QUIET), self.events.recv()).await.is_ok()
            && Instant::now() < latest
        {}
        self.has_changed = false;
    }
}

fn watch<'a>(
    paths: impl IntoIterator<Item = (&'a Path, RecursiveMode)>,
    sender: &mpsc::Sender<()>,
) -> Option<RecommendedWatcher> {
    let sender = sender.clone();
    let on_event = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| is_change(event.kind)) {
            // A full channel already holds a notification.
            let _ = sender.try_send(());
        }
    };
    let mut watcher = match notify::recommended_watcher(on_event) {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "files can't be watched; they are checked every {CHECK_INTERVAL:?}");
            return None;
        }
    };
    for (path, mode) in paths {
        if let Err(error) = watcher.watch(path, mode) {
            tracing::warn!(path = %path.display(), %error, "can't be watched; it is checked every {CHECK_INTERVAL:?}");
        }
    }
    Some(watcher)
}

/// True for a change; our own reading is none.
fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}
