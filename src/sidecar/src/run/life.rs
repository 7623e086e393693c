//! The life of a `run`, from the first reading to the last save.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use notify::RecursiveMode;
use rustix::process::Signal as Kill;
use sd_notify::NotifyState;
use setup::ClosedRouter;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until};

use super::admin::Admin;
use super::candidate::validated;
use super::envoy::{self, Binary, Envoy};
use super::pieces::{Layout, Pieces};
use super::ports::{self, Port};
use super::publish::{publish, write_all};
use super::{Places, Rendered, Run, RunError, Source, plugin};
use crate::changes::Changes;
use crate::process::{Ending, tell_systemd};
use crate::sidecar::Sidecar;
use crate::tokens::Doors;

/// The waits before Envoy is started again. One that can't live must not keep the machine busy.
const FIRST_RESTART: Duration = Duration::from_secs(1);
const LAST_RESTART: Duration = Duration::from_secs(30);
/// An Envoy that has lived this long has died of something new.
const HEALTHY: Duration = Duration::from_secs(60);
/// How long Envoy may take to come up: it compiles the plugin, and waits for certificates and DNS.
const COMING_UP: Duration = Duration::from_secs(60);
/// How often Envoy is asked something while we wait.
const ASKING: Duration = Duration::from_millis(50);
/// What the user may look at when Envoy refuses the listeners that it has found valid before.
const CANNOT_LISTEN: &str = "it can't listen as configured: is a port taken, or below 1024 and not allowed? As root, \
                             --user NAME allows it";
/// Who wants the routers' certificates, as the sidecar knows it.
const HOLDER: &str = "run";

/// Runs until it is told to end.
///
/// # Errors
/// When it can't start, or when not everything could be saved at the end.
pub async fn run(run: Run) -> Result<(), RunError> {
    let mut ending = Ending::catch().map_err(RunError::Sidecar)?;
    let signals = || -> io::Result<_> { Ok((signal(SignalKind::hangup())?, signal(SignalKind::user_defined1())?)) };
    let (mut hangup, mut user) = signals().map_err(RunError::Signals)?;
    let (mut running, mut changes) = Running::start(run).await?;
    let up = tokio::select! {
        up = running.is_up() => up,
        () = ending.told() => return running.stop().await,
    };
    if let Err(error) = up {
        running.give_up().await;
        return Err(error);
    }
    tell_systemd(NotifyState::Ready);
    tracing::info!("Envoy is up");
    loop {
        let is_change = tokio::select! {
            () = running.keep_envoy() => false,
            () = ending.told() => return running.stop().await,
            _ = hangup.recv() => true,
            () = changes.next() => true,
            _ = user.recv() => {
                // By which Envoy opens its log files anew.
                running.envoy.iter().for_each(|envoy| envoy.signal(Kill::USR1));
                false
            }
        };
        if is_change {
            tokio::select! {
                () = running.reload() => {}
                () = ending.told() => return running.stop().await,
            }
        }
    }
}

struct Running {
    sidecar: Sidecar,
    source: Box<dyn Source>,
    binary: Binary,
    layout: Layout,
    places: Places,
    admin: Admin,
    /// What Envoy has.
    pieces: Pieces,
    /// None while it is down.
    envoy: Option<Envoy>,
    started: Instant,
    restarts: ExponentialBackoff,
    grace: Duration,
    _directory: super::Directory,
}

impl Running {
    async fn start(run: Run) -> Result<(Self, Changes), RunError> {
        let Run {
            mut sidecar,
            directory,
            envoy,
            envoy_version,
            envoy_arguments,
            envoy_environment,
            plugin,
            grace,
            mut source,
        } = run;
        let layout = Layout::new(directory.path());
        let binary =
            Binary { path: envoy::find(envoy.as_deref())?, arguments: envoy_arguments, environment: envoy_environment };
        let (doors, tokens) = Doors::random().map_err(|error| RunError::Sidecar(error.to_string()))?;
        sidecar.tokens = Some(doors);
        let version = envoy::version(&binary, envoy_version).await?;
        let places = Places { plugin: plugin::find(plugin.as_deref())?, files: layout.clone(), tokens, version };
        let rendered = source.read(&places).map_err(RunError::Configuration)?;
        rendered.warnings.iter().for_each(|warning| tracing::warn!("configuration: {warning}"));
        tell_of(&rendered.closed);
        ports::free(&rendered.ports(), &binary.path).await?;
        let pieces = validated(&rendered, &binary, &layout, &places.tokens).await?;
        // That took a while.
        ports::free(&rendered.ports(), &binary.path).await?;
        // Whatever changes from here on is noticed.
        let watched = source.watched();
        // The thread that waits for them is started by one that has no right of Envoy's.
        let changes = spawn_blocking(move || watch(&watched)).await.map_err(|_| RunError::Bug("the watch ended"))?;
        sidecar.api_socket = layout.api_socket();
        sidecar.sds_socket = layout.sds_socket();
        let sidecar = Sidecar::start(&sidecar).await.map_err(|error| RunError::Sidecar(error.to_string()))?;
        sidecar.wants().stand(HOLDER, rendered.wants);
        sidecar.closed().set(&rendered.closed);
        let started = write_all(&pieces, &layout).and_then(|()| Envoy::start(&binary, &layout.bootstrap()));
        let envoy = match started {
            Ok(envoy) => Some(envoy),
            Err(error) => {
                save(sidecar).await;
                return Err(error);
            }
        };
        let running = Self {
            admin: Admin::new(&layout.admin_socket()),
            started: Instant::now(),
            restarts: restarts(),
            _directory: directory,
            sidecar,
            source,
            binary,
            layout,
            places,
            pieces,
            envoy,
            grace,
        };
        Ok((running, changes))
    }

    /// Waits until Envoy serves with all its listeners.
    async fn is_up(&mut self) -> Result<(), RunError> {
        let deadline = Instant::now() + COMING_UP;
        let admin = &self.admin;
        let listens = async {
            loop {
                let refused = admin.statistic("listener_manager.lds.update_rejected").await;
                if refused.is_some_and(|count| count != "0") {
                    return Err(RunError::NotUp(CANNOT_LISTEN.to_owned()));
                }
                let taken = admin.statistic("listener_manager.lds.update_success").await;
                if taken.is_some_and(|count| count != "0") && admin.is_ready().await {
                    return Ok(());
                }
                sleep(ASKING).await;
            }
        };
        let Some(envoy) = &mut self.envoy else { return Err(RunError::Bug("Envoy was not started")) };
        tokio::select! {
            listens = listens => listens?,
            how = envoy.ended() => return Err(RunError::NotUp(format!("it has ended ({how})"))),
            () = sleep_until(deadline) => {
                return Err(RunError::NotUp(format!("it is not ready after {COMING_UP:?}")));
            }
        }
        // One that was started in the same moment.
        envoy.pid().map_or(Ok(()), |pid| ports::alone(&Port::of(&self.pieces.listeners), pid))
    }

    /// Waits until Envoy dies, and starts it again after a while. Nothing is lost when this is dropped half-way.
    async fn keep_envoy(&mut self) {
        if let Some(envoy) = &mut self.envoy {
            let how = envoy.ended().await;
            self.envoy = None;
            if self.started.elapsed() >= HEALTHY {
                self.restarts = restarts();
            }
            let wait = self.restarts.next().unwrap_or(LAST_RESTART);
            self.started = Instant::now() + wait;
            tracing::error!("Envoy has ended ({how}); it is started again in {wait:?}");
        }
        sleep_until(self.started).await;
        match self.restart() {
            Ok(envoy) => self.envoy = Some(envoy),
            Err(error) => {
                error.lines().iter().for_each(|line| tracing::error!("{line}"));
                tracing::error!("Envoy is not started again yet; it is tried again in {LAST_RESTART:?}");
                self.started = Instant::now() + LAST_RESTART;
            }
        }
    }

    /// Starts Envoy again, unless somebody else has taken one of its ports meanwhile.
    fn restart(&self) -> Result<Envoy, RunError> {
        let refused = ports::refused(&Port::of(&self.pieces.listeners), &self.binary.path).map_err(RunError::Rights)?;
        if !refused.is_empty() {
            return Err(RunError::Ports(refused));
        }
        Envoy::start(&self.binary, &self.layout.bootstrap())
    }

    /// Takes over a changed configuration, or says why not. What was there before stays then.
    async fn reload(&mut self) {
        match self.change().await {
            Ok(Change::Made { closed: 0 }) => tracing::info!("the changed configuration is in force"),
            Ok(Change::Made { closed }) => {
                tracing::error!("the changed configuration is in force, in which routers are closed: {closed}");
            }
            Ok(Change::None) => {}
            Err(error) => {
                error.lines().iter().for_each(|line| tracing::error!("configuration: {line}"));
                tracing::error!("the configuration before stays in force");
            }
        }
    }

    /// Reads the configuration anew, and gives Envoy what has changed.
    async fn change(&mut self) -> Result<Change, RunError> {
        let rendered = self.source.read(&self.places).map_err(RunError::Configuration)?;
        let own = |name: &str| rendered.own_clusters.iter().any(|own| own == name);
        if Pieces::cut(rendered.bootstrap.clone(), &self.layout, own)? == self.pieces {
            self.sidecar.wants().stand(HOLDER, rendered.wants);
            self.sidecar.closed().set(&rendered.closed);
            return Ok(Change::None);
        }
        rendered.warnings.iter().for_each(|warning| tracing::warn!("configuration: {warning}"));
        self.may_listen(&rendered)?;
        let pieces = validated(&rendered, &self.binary, &self.layout, &self.places.tokens).await?;
        if pieces.bootstrap != self.pieces.bootstrap {
            let why = "certificatesResolvers and what else Envoy reads only at its start has changed: restart \
                       envoy-autocert to use it";
            return Err(RunError::Configuration(vec![why.to_owned()]));
        }
        match &self.envoy {
            Some(_) => publish(&self.pieces, &pieces, &self.layout, &self.admin).await?,
            None => write_all(&pieces, &self.layout)?,
        }
        self.pieces = pieces;
        self.sidecar.wants().stand(HOLDER, rendered.wants);
        self.sidecar.closed().set(&rendered.closed);
        tell_of(&rendered.closed);
        Ok(Change::Made { closed: rendered.closed.len() })
    }

    /// Whether Envoy can listen on the ports that it has not got yet.
    fn may_listen(&self, rendered: &Rendered) -> Result<(), RunError> {
        let own = Port::of(&self.pieces.listeners);
        let mut new = rendered.ports();
        new.retain(|new| !own.contains(new));
        let mut refused = ports::refused(&new, &self.binary.path).map_err(RunError::Rights)?;
        // It may go from one address to all, or back.
        let envoy = self.envoy.as_ref().and_then(Envoy::pid);
        refused.retain(|refusal| refusal.holder().is_none_or(|pid| Some(pid) != envoy));
        if refused.is_empty() { Ok(()) } else { Err(RunError::Ports(refused)) }
    }

    /// Ends all of it, as Envoy did not come up. Why is the error that matters.
    async fn give_up(self) {
        if let Some(envoy) = self.envoy {
            envoy.end().await;
        }
        save(self.sidecar).await;
    }

    /// Lets requests under way end, then Envoy, then the sidecar.
    async fn stop(self) -> Result<(), RunError> {
        tell_systemd(NotifyState::Stopping);
        tracing::info!("told to end");
        if let Some(envoy) = self.envoy {
            if self.admin.drain().await {
                // Whatever is under way longer is cut off.
                let _ = tokio::time::timeout(self.grace, idle(&self.admin)).await;
            }
            envoy.end().await;
        }
        self.sidecar.stop().await.map_err(RunError::Sidecar)?;
        tracing::info!("ended; everything is saved");
        Ok(())
    }
}

/// Ends a sidecar that served nobody; what it has made is whole then.
async fn save(sidecar: Sidecar) {
    if let Err(why) = sidecar.stop().await {
        tracing::error!("{why}");
    }
}

/// What has become of a configuration that was read anew.
enum Change {
    /// It is in force; so many of its routers are closed.
    Made { closed: usize },
    /// It is the same to Envoy.
    None,
}

/// Whoever reads nothing else of the log must see which routers are closed.
fn tell_of(closed: &[ClosedRouter]) {
    crate::closed::lines(closed).iter().for_each(|line| tracing::error!("configuration: {line}"));
}

/// Waits until no request is under way.
async fn idle(admin: &Admin) {
    while admin.requests().await.is_some_and(|active| active > 0) {
        sleep(ASKING).await;
    }
}

/// Directories are watched rather than files: editors replace files, and a watch would stay with the old one.
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
