//! The sidecar in this process: the real API over the real store on a real file, and no sockets. Dropped, it has
//! crashed.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use base::clock::Clock;
use dns01::Dns;
use http_body_util::BodyExt;
use sds::catalog::Catalog;
use sidecar::api::{self, Admission, Context, Peer};
use storage::{FileStore, LeaseBounds, Storages, Store, Writing};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tower::ServiceExt;

use super::time::Time;

/// The machine that the sidecar runs on: its disk, and the runtime whose clock only we turn.
pub struct Machine {
    runtime: Runtime,
    time: Rc<Time>,
    directory: tempfile::TempDir,
    /// Up to when the runtime's clock was turned.
    turned: std::cell::Cell<i64>,
}

/// A sidecar that runs.
pub struct Running {
    router: Router,
    /// The sidecar's store.
    pub store: Arc<dyn Store>,
    /// The certificates it serves.
    pub catalog: Arc<Catalog>,
    _stop: watch::Sender<bool>,
}

/// An answer of the sidecar's.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// True if the change is in memory alone.
    pub is_unsaved: bool,
}

impl Machine {
    /// Creates a machine with an empty disk.
    pub fn new(time: &Rc<Time>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        // Memory, where there is some: a simulation waits for no disk.
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self { runtime, time: time.clone(), directory: directory.unwrap(), turned: std::cell::Cell::new(0) }
    }

    /// The storage's path.
    pub fn storage(&self) -> PathBuf {
        self.directory.path().join("acme.json")
    }

    /// The path of the temporary file that is renamed to the storage.
    pub fn temporary(&self) -> PathBuf {
        self.directory.path().join(".acme.json.new")
    }

    /// The path of the note of the storage's content.
    pub fn lock(&self) -> PathBuf {
        self.directory.path().join("acme.json.lock")
    }

    /// Lets no write succeed from now on.
    pub fn break_storage(&self) {
        let _ = fs::remove_file(self.temporary());
        let _ = fs::create_dir(self.temporary());
    }

    /// Lets writes succeed again.
    pub fn mend_storage(&self) {
        let _ = fs::remove_dir(self.temporary());
    }

    /// Opens the storage and begins to answer; else the reason why not.
    pub fn start(&self) -> Result<Running, String> {
        self.turn();
        let clock = Clock::showing(self.time.shown());
        let storages = Storages::from(self.storage().as_path());
        let opened = FileStore::open_with(&storages, LeaseBounds::default(), clock.clone(), Writing::InPlace);
        let store: Arc<dyn Store> = Arc::new(opened.map_err(|error| error.to_string())?);
        let (stop, stopping) = watch::channel(false);
        let context = self.runtime.block_on(async {
            let dns = Dns::open(&self.storage(), 53, Vec::new(), clock.clone()).await;
            Context::alone(store.clone(), &self.storage(), clock, dns, stopping).await
        });
        let context = context.map_err(|error| error.to_string())?;
        let catalog = context.catalog.clone();
        let router = api::router(Arc::new(context), Admission::Anyone);
        Ok(Running { router, store, catalog, _stop: stop })
    }

    /// Sends a request.
    pub fn ask(&self, running: &Running, method: &str, path: &str, fence: Option<&str>, body: &[u8]) -> Answer {
        self.turn();
        let mut request =
            Request::builder().method(method).uri(path).header("host", "sidecar").extension(Peer::Network);
        if let Some(fence) = fence {
            request = request.header(protocol::FENCE_HEADER, fence);
        }
        let request = request.body(Body::from(body.to_vec())).unwrap();
        self.runtime.block_on(async {
            let response = running.router.clone().oneshot(request).await.unwrap();
            let status = response.status().as_u16();
            let is_unsaved = status == 507 || response.headers().contains_key(protocol::UNSAVED_HEADER);
            Answer { status, is_unsaved, body: response.into_body().collect().await.unwrap().to_bytes().to_vec() }
        })
    }

    /// Runs a future of the sidecar to its end.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Turns the runtime's clock to where time is.
    fn turn(&self) {
        let passed = self.time.awake() - self.turned.replace(self.time.awake());
        let passed = Duration::from_millis(passed.unsigned_abs());
        if !passed.is_zero() {
            self.runtime.block_on(tokio::time::advance(passed));
        }
    }
}
