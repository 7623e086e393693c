//! The life of a `run`, from the first reading of the configuration to the last save.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use notify::RecursiveMode;
use protocol::Want;
use rustix::process::Signal as Kill;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until};

use super::admin::Admin;
use super::candidate::validate;
use super::envoy::{self, Binary, Envoy};
use super::pieces::{Layout, Pieces};
use super::ports::{self, Port};
use super::publish::write_all;
use super::summary::{self, Summary};
use super::{ASKING, Candidate, RenderTarget, Run, RunError, Source, ca_reach, coming_up, log, plugin};
use crate::closed;
use crate::options::TokenSource;
use crate::process::{Ending, notify_systemd};
use crate::sidecar::Sidecar;
use base::changes::Changes;
use sds::tokens::SocketTokens;

/// The shortest wait before Envoy is restarted: an Envoy that can't start must not keep the machine busy.
const FIRST_RESTART: Duration = Duration::from_secs(1);
const LAST_RESTART: Duration = Duration::from_secs(30);
/// The lifetime after which an Envoy's end is a new fault, and the backoff begins anew.
const HEALTHY: Duration = Duration::from_secs(60);
/// The holder of the routers' wants in the sidecar.
pub(super) const HOLDER: &str = "run";

/// Runs until a signal asks for the end.
///
/// # Errors
/// When it can't start, or something could not be saved at the end.
pub async fn run(run: Run) -> Result<(), RunError> {
    let mut ending = Ending::catch().map_err(RunError::Sidecar)?;
    let signals = || -> io::Result<_> { Ok((signal(SignalKind::hangup())?, signal(SignalKind::user_defined1())?)) };
    let (mut hangup, mut user) = signals().map_err(RunError::Signals)?;
    let (mut running, mut changes, candidate) = tokio::select! {
        started = Running::start(run) => started?,
        () = ending.requested() => {
            tracing::info!("shutdown requested before Envoy was started");
            return Ok(());
        }
    };
    let up = tokio::select! {
        up = running.is_up() => up,
        () = ending.requested() => return running.stop().await,
    };
    if let Err(error) = up {
        return tokio::select! {
            error = running.give_up(error, &candidate) => Err(error),
            () = ending.requested() => Err(RunError::NotUp("shutdown was requested meanwhile".to_owned())),
        };
    }
    drop(candidate);
    notify_systemd(NotifyState::Ready);
    tracing::info!("Envoy is up");
    loop {
        let pace = running.summary.pace();
        let event = tokio::select! {
            () = running.keep_envoy() => continue,
            () = ending.requested() => return running.stop().await,
            _ = hangup.recv() => Event::Change,
            () = changes.next() => Event::Change,
            () = sleep(pace.unwrap_or_default()), if pace.is_some() => Event::Look,
            // The signal by which Envoy reopens its log files.
            _ = user.recv() => Event::Rotate,
        };
        let work = async {
            match event {
                Event::Change => running.reload().await,
                Event::Look => running.tell().await,
                Event::Rotate => running.envoy.iter().for_each(|envoy| envoy.signal(Kill::USR1)),
            }
        };
        tokio::select! {
            () = work => {}
            () = ending.requested() => return running.stop().await,
        }
    }
}

/// An event to handle.
enum Event {
    /// The configuration may have changed.
    Change,
    /// The summary is due.
    Look,
    /// Log files have to be reopened.
    Rotate,
}

/// A `run` with a started Envoy.
pub(super) struct Running {
    pub(super) sidecar: Sidecar,
    pub(super) source: Box<dyn Source>,
    pub(super) binary: Binary,
    pub(super) layout: Layout,
    pub(super) target: RenderTarget,
    pub(super) admin: Admin,
    /// The configuration that Envoy has.
    pub(super) pieces: Pieces,
    /// The ports of its listeners.
    pub(super) ports: Vec<Port>,
    /// The certificates that the routers want.
    pub(super) wants: Vec<Want>,
    /// The warnings already logged.
    pub(super) warnings: Vec<String>,
    /// `None` while Envoy is down.
    pub(super) envoy: Option<Envoy>,
    pub(super) summary: Summary,
    /// True if handshakes at Envoy's listeners verify new certificates.
    is_verifying: bool,
    status: Option<SocketAddr>,
    started: Instant,
    restarts: ExponentialBackoff,
    grace: Duration,
    _directory: super::Directory,
    /// The tasks that only watch; they are aborted on drop.
    _watchers: JoinSet<()>,
}

impl Running {
    async fn start(run: Run) -> Result<(Self, Changes, Candidate), RunError> {
        let Run {
            mut sidecar,
            directory,
            envoy,
            envoy_version,
            envoy_arguments,
            envoy_environment,
            log_level,
            is_verifying,
            plugin,
            grace,
            mut source,
            cas,
        } = run;
        let layout = Layout::new(directory.path());
        let (socket_tokens, tokens) = SocketTokens::random().map_err(|error| RunError::Sidecar(error.to_string()))?;
        sidecar.tokens = TokenSource::Given(socket_tokens);
        let binary = Binary {
            path: envoy::find(envoy.as_deref())?,
            arguments: log::arguments(&envoy_arguments, log_level),
            environment: envoy_environment,
            hidden: [&tokens.api, &tokens.sds].into_iter().flatten().cloned().collect(),
        };
        let version = envoy::version(&binary, envoy_version).await?;
        let target = RenderTarget { plugin: plugin::find(plugin.as_deref())?, files: layout.clone(), tokens, version };
        let rendered = source.read(&target).map_err(RunError::Configuration)?;
        rendered.warnings.iter().for_each(|warning| tracing::warn!("configuration: {warning}"));
        closed::report(&rendered.closed);
        let ports = rendered.ports();
        ports::apart(&ports, sidecar.status_address)?;
        ports::free(&ports, &binary.path).await?;
        // Not validated beforehand: nothing runs yet that it could break, and Envoy compiles the plugin each time.
        let pieces = Pieces::new(rendered.bootstrap, &layout);
        // Watched before the start, so that no change from here on is missed.
        let watched = source.watched();
        // The thread that waits for changes is started by one without Envoy's capability.
        let changes = spawn_blocking(move || watch(&watched)).await.map_err(|_| RunError::Bug("the watch ended"))?;
        let (is_verifying, status) =
            (is_verifying && sidecar.upkeep.verify_addresses.is_empty(), sidecar.status_address);
        let sidecar = Sidecar::start(sidecar).await.map_err(|error| RunError::Sidecar(error.to_string()))?;
        sidecar.wants().stand(HOLDER, rendered.wants.clone());
        sidecar.closed().set(&rendered.closed);
        sidecar.configuration().taken();
        let started = write_all(&pieces, &layout).and_then(|()| Envoy::start(&binary, &layout.bootstrap()));
        let envoy = match started {
            Ok(envoy) => Some(envoy),
            Err(error) => {
                save(sidecar).await;
                return Err(error);
            }
        };
        let admin = Admin::new(&layout.admin_socket());
        let mut watchers = JoinSet::new();
        watchers.spawn(ca_reach::watch(cas, admin.clone(), sidecar.ca_reach(), sidecar.store(), sidecar.clock()));
        let running = Self {
            admin,
            started: Instant::now(),
            restarts: restarts(),
            _directory: directory,
            _watchers: watchers,
            sidecar,
            source,
            binary,
            layout,
            target,
            pieces,
            ports,
            wants: rendered.wants,
            warnings: rendered.warnings,
            envoy,
            summary: Summary::new(),
            is_verifying,
            status,
            grace,
        };
        running.verify_own();
        Ok((running, changes, rendered.candidate))
    }

    /// Waits until Envoy serves with all its listeners.
    async fn is_up(&mut self) -> Result<(), RunError> {
        let Some(envoy) = &mut self.envoy else { return Err(RunError::Bug("Envoy was not started")) };
        coming_up::is_up(envoy, &self.admin, &self.ports).await
    }

    /// Has handshakes verify certificates at Envoy's present listeners.
    pub(super) fn verify_own(&self) {
        if self.is_verifying {
            self.sidecar.set_verify_addresses(self.pieces.tls_addresses());
        }
    }

    /// Logs which certificates are served and which are not, if there is news.
    async fn tell(&mut self) {
        let Some(standings) = self.sidecar.standings(&self.wants).await else { return };
        let port = self.pieces.tls_addresses().iter().map(SocketAddr::port).min_by_key(|port| (*port != 443, *port));
        let addresses = summary::Addresses { port, status: self.status, layout: &self.layout };
        let Some(said) = self.summary.look(&self.wants, &standings, &addresses) else { return };
        for line in said.lines {
            let line = acme::one_line(&line);
            if said.is_well { tracing::info!("{line}") } else { tracing::warn!("{line}") }
        }
    }

    /// Waits until Envoy dies, and restarts it after a while. Cancel safe.
    async fn keep_envoy(&mut self) {
        if let Some(envoy) = &mut self.envoy {
            let how = envoy.ended().await;
            self.envoy = None;
            if self.started.elapsed() >= HEALTHY {
                self.restarts = restarts();
            }
            let wait = self.restarts.next().unwrap_or(LAST_RESTART);
            self.started = Instant::now() + wait;
            tracing::error!("Envoy has ended ({how}); restart in {wait:?}");
        }
        sleep_until(self.started).await;
        match self.restart() {
            Ok(envoy) => self.envoy = Some(envoy),
            Err(error) => {
                error.lines().iter().for_each(|line| tracing::error!("{line}"));
                tracing::error!("Envoy can't be restarted; next attempt in {LAST_RESTART:?}");
                self.started = Instant::now() + LAST_RESTART;
            }
        }
    }

    /// Restarts Envoy, unless another process has taken one of its ports meanwhile.
    fn restart(&self) -> Result<Envoy, RunError> {
        let refused = ports::refused(&self.ports, Some(&self.binary.path)).map_err(RunError::Rights)?;
        if !refused.is_empty() {
            return Err(RunError::Ports(refused));
        }
        Envoy::start(&self.binary, &self.layout.bootstrap())
    }

    /// Ends everything because Envoy did not come up, and returns the reason: if Envoy refuses to validate the
    /// configuration, in Envoy's words.
    async fn give_up(self, error: RunError, candidate: &Candidate) -> RunError {
        let Self { envoy, sidecar, binary, layout, _directory, .. } = self;
        if let Some(envoy) = envoy {
            envoy.end().await;
        }
        save(sidecar).await;
        match error {
            RunError::NotUp(_) => validate(candidate, &binary, &layout).await.err().unwrap_or(error),
            other => other,
        }
    }

    /// Drains requests, then ends Envoy, then the sidecar.
    async fn stop(self) -> Result<(), RunError> {
        notify_systemd(NotifyState::Stopping);
        tracing::info!("shutdown requested");
        if let Some(envoy) = self.envoy {
            if self.admin.drain().await {
                // Requests that take longer are cut off.
                let _ = tokio::time::timeout(self.grace, idle(&self.admin)).await;
            }
            envoy.end().await;
        }
        self.sidecar.stop().await.map_err(RunError::Sidecar)?;
        tracing::info!("ended; everything is saved");
        Ok(())
    }
}

/// Ends a sidecar that has served no client; its records are complete.
async fn save(sidecar: Sidecar) {
    if let Err(why) = sidecar.stop().await {
        tracing::error!("{why}");
    }
}

/// Waits until no request is under way.
async fn idle(admin: &Admin) {
    while admin.requests().await.is_some_and(|active| active > 0) {
        sleep(ASKING).await;
    }
}

/// Watches directories rather than files: editors replace files, and a watch would stay with the old one.
fn watch(paths: &[PathBuf]) -> Changes {
    let directory = |path: &PathBuf| {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if path.is_dir() { path.clone() } else { parent.to_owned() }
    };
    let mut directories: Vec<PathBuf> = paths.iter().map(directory).collect();
    directories.sort_unstable();
    directories.dedup();
    Changes::of(directories.iter().map(|path| (path.as_path(), RecursiveMode::NonRecursive)))
}

fn restarts() -> ExponentialBackoff {
    let builder = ExponentialBuilder::default().with_min_delay(FIRST_RESTART).with_max_delay(LAST_RESTART);
    builder.without_max_times().build()
}
