//! Health and metrics of the SDS server: connected nodes, pushes and rejections.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use super::limits::{MAX_STATUS_ENTRIES, MAX_STREAMS, MAX_TEXT};
use super::session::Verdict;

/// Number of appeals that a slow stream may be behind.
const MAX_APPEALS: usize = 256;

/// Receives Envoys' verdicts on the certificates that visitors are served.
pub trait Judge: Send + Sync {
    /// A node uses this version of a certificate now.
    fn accepted(&self, node: &str, version: &str);

    /// A node rejected a response with nothing new but this version of a certificate.
    fn rejected(&self, node: &str, version: &str, error: &str);
}

/// Counters and tables, written by all streams and read by anybody.
pub struct Status {
    judge: Option<Arc<dyn Judge>>,
    appeals: broadcast::Sender<Arc<[Arc<str>]>>,
    tables: Mutex<Tables>,
    pushes: AtomicU64,
    rejections: AtomicU64,
}

#[derive(Default)]
struct Tables {
    streams: usize,
    /// Number of streams by node. Streams that haven't named their node, or for which the table had no room, are left
    /// out.
    nodes: BTreeMap<String, usize>,
    rejected: BTreeMap<(String, String), Rejection>,
    /// Last rejection of each connected node.
    last_rejections: BTreeMap<String, Rejection>,
}

/// The state at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Open streams.
    pub streams: usize,
    /// Open streams by node id.
    pub nodes: Vec<(String, usize)>,
    /// Secrets that a connected node rejected and has not accepted since. Envoy may blame one for another: in a TLS
    /// context with several, all updates are rejected as long as one of them is bad.
    pub rejected: Vec<Rejection>,
    /// The last rejection of each connected node, also when the node has accepted that secret since.
    pub last_rejections: Vec<Rejection>,
    /// Responses sent since the start.
    pub pushes: u64,
    /// Responses rejected since the start.
    pub rejections: u64,
}

/// A secret that a node rejected. Its texts are printable and bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The node's id.
    pub node: String,
    /// The secret's name.
    pub resource: String,
    /// The reason, in the client's words.
    pub error: String,
    /// Time of the last rejection, seconds since 1970.
    pub at: i64,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            judge: None,
            appeals: broadcast::Sender::new(MAX_APPEALS),
            tables: Mutex::default(),
            pushes: AtomicU64::new(0),
            rejections: AtomicU64::new(0),
        }
    }
}

impl Status {
    /// Returns a status that reports to this judge.
    pub fn with_judge(judge: Arc<dyn Judge>) -> Self {
        Self { judge: Some(judge), ..Self::default() }
    }

    /// Allows rejected certificates of these versions to be sent once more, because something else caused the
    /// rejection.
    pub fn appeal(&self, versions: Vec<Arc<str>>) {
        // No stream, no receiver.
        let _ = self.appeals.send(versions.into());
    }

    /// The state now.
    pub fn snapshot(&self) -> Snapshot {
        let tables = self.tables();
        Snapshot {
            streams: tables.streams,
            nodes: tables.nodes.iter().map(|(node, streams)| (node.clone(), *streams)).collect(),
            rejected: tables.rejected.values().cloned().collect(),
            last_rejections: tables.last_rejections.values().cloned().collect(),
            pushes: self.pushes.load(Ordering::Relaxed),
            rejections: self.rejections.load(Ordering::Relaxed),
        }
    }

    /// Counts a stream until the returned guard is dropped; `None` when there are too many. `is_judged` is true for
    /// streams of the certificates that visitors are served.
    pub(super) fn enter(self: &Arc<Self>, is_judged: bool) -> Option<StreamGuard> {
        let mut tables = self.tables();
        if tables.streams >= MAX_STREAMS {
            return None;
        }
        tables.streams += 1;
        drop(tables);
        Some(StreamGuard { status: self.clone(), node: None, is_judged })
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open stream, counted until dropped.
pub(super) struct StreamGuard {
    status: Arc<Status>,
    node: Option<String>,
    is_judged: bool,
}

impl StreamGuard {
    /// Records the stream's node.
    pub(super) fn name(&mut self, node: &str) {
        if self.node.is_some() || node.is_empty() {
            return;
        }
        let node = printable(node);
        let mut tables = self.status.tables();
        if tables.nodes.len() < MAX_STATUS_ENTRIES || tables.nodes.contains_key(&node) {
            *tables.nodes.entry(node.clone()).or_default() += 1;
            drop(tables);
            self.node = Some(node);
        }
    }

    pub(super) fn pushed(&self) {
        self.status.pushes.fetch_add(1, Ordering::Relaxed);
    }

    /// Records the client's verdict on a response, and logs a rejection.
    pub(super) fn settle(&self, verdict: Verdict, now: i64) {
        let node = self.node.as_deref().unwrap_or("unknown");
        match verdict {
            Verdict::Accepted { name, version } => {
                let mut tables = self.status.tables();
                if !tables.rejected.is_empty() {
                    tables.rejected.remove(&(node.to_owned(), printable(&name)));
                }
                drop(tables);
                if let (Some(judge), Some(version)) = (self.judge(), version) {
                    judge.accepted(node, &version);
                }
            }
            Verdict::Rejected { secrets, error } => {
                let error = printable(&error);
                let names: Vec<Arc<str>> = secrets.iter().map(|(name, _)| name.clone()).collect();
                self.reject(node, &names, &error, now);
                if let (Some(judge), [(_, version)]) = (self.judge(), secrets.as_slice()) {
                    judge.rejected(node, version, &error);
                }
            }
        }
    }

    fn judge(&self) -> Option<&dyn Judge> {
        self.status.judge.as_deref().filter(|_| self.is_judged)
    }

    /// Appeals from now on.
    pub(super) fn appeals(&self) -> broadcast::Receiver<Arc<[Arc<str>]>> {
        self.status.appeals.subscribe()
    }

    fn reject(&self, node: &str, names: &[Arc<str>], error: &str, now: i64) {
        self.status.rejections.fetch_add(1, Ordering::Relaxed);
        let first = names.first().map_or_else(String::new, |name| printable(name));
        if names.len() == 1 {
            tracing::warn!(node, secret = first, error, "Envoy rejected a certificate and keeps the previous one");
        } else {
            let secrets = names.len();
            tracing::warn!(node, secrets, first, error, "Envoy rejected a response; sending its secrets one by one");
        }
        let mut tables = self.status.tables();
        for name in names {
            let key = (node.to_owned(), printable(name));
            if tables.rejected.len() >= MAX_STATUS_ENTRIES && !tables.rejected.contains_key(&key) {
                return;
            }
            let (node, resource) = key.clone();
            let rejection = Rejection { node: node.clone(), resource, error: error.to_owned(), at: now };
            tables.rejected.insert(key, rejection.clone());
            tables.last_rejections.insert(node, rejection);
        }
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        let mut tables = self.status.tables();
        tables.streams = tables.streams.saturating_sub(1);
        let Some(node) = self.node.take() else { return };
        let tables = &mut *tables;
        if let Some(streams) = tables.nodes.get_mut(&node) {
            *streams = streams.saturating_sub(1);
            if *streams == 0 {
                tables.nodes.remove(&node);
                // On its next stream the node judges everything anew.
                tables.rejected.retain(|(rejecting, _), _| *rejecting != node);
                tables.last_rejections.remove(&node);
            }
        }
    }
}

/// A client's text as one bounded line without control characters.
pub(super) fn printable(text: &str) -> String {
    let cut = text.chars().take(MAX_TEXT);
    // Characters that turn the direction of writing or are invisible are escaped too.
    let is_plain = |char: char| !char.is_control() && (char.is_ascii() || char.is_alphanumeric());
    cut.flat_map(|char| if is_plain(char) { vec![char] } else { char.escape_default().collect() }).collect()
}
