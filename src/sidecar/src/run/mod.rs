//! `run`: sidecar, Envoy and configuration in one command.
//!
//! Promises: a running Envoy is given only what another one has validated; a bad change is reported and what was there
//! stays; a change of routers and services drops no connection; an Envoy that dies is started again, with backoff; everything
//! ends in order, and Envoy never outlives us.
//! Refuses: to know what configurations look like. Whoever calls it renders them.

mod admin;
mod ca_reach;
mod candidate;
mod coming_up;
mod directory;
mod envoy;
mod error;
mod life;
mod log;
mod pieces;
mod plugin;
pub mod ports;
mod publish;
mod reload;
mod summary;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use protocol::Want;
use protocol::tokens::Tokens;
use serde_json::Value;
use setup::envoy::bootstrap::Bootstrap;
use setup::envoy::version::Version;
use tracing_subscriber::filter::LevelFilter;

use crate::options::Options;
use base::environment::Passed;
pub use ca_reach::Ca;
pub use directory::Directory;
pub use envoy::exec;
pub use error::RunError;
pub use life::run;
pub use pieces::Layout;
use ports::Port;

/// How often Envoy is asked something while we wait.
const ASKING: Duration = Duration::from_millis(50);

/// What is to be run.
pub struct Run {
    /// What the sidecar is told, but for its tokens. Its sockets are those of `directory`.
    pub sidecar: Options,
    /// Where sockets and Envoy's files are.
    pub directory: Directory,
    /// Envoy; unset, the one on PATH.
    pub envoy: Option<PathBuf>,
    /// Its version; unset, the one that it says.
    pub envoy_version: Option<Version>,
    /// More arguments for Envoy.
    pub envoy_arguments: Vec<String>,
    /// The level of our log.
    pub log_level: LevelFilter,
    /// Envoy's whole environment.
    pub envoy_environment: Passed,
    /// The plugin; unset, where it is looked for.
    pub plugin: Option<PathBuf>,
    /// True when a handshake is to show that new certificates are served, also where the sidecar's flags name no address.
    pub is_verifying: bool,
    /// How long requests under way may take when all ends.
    pub grace: Duration,
    /// Where the configuration comes from.
    pub source: Box<dyn Source>,
    /// The CAs of its resolvers, which are as they were at the start.
    pub cas: Vec<Ca>,
}

/// Where the configuration comes from.
pub trait Source: Send {
    /// Reads and renders it, as it is now.
    ///
    /// # Errors
    /// With a line for each mistake.
    fn read(&mut self, places: &Places) -> Result<Rendered, Vec<String>>;

    /// The files and directories whose changes count.
    fn watched(&self) -> Vec<PathBuf>;
}

/// What a configuration has to name.
#[derive(Clone, Debug)]
pub struct Places {
    /// The plugin.
    pub plugin: PathBuf,
    /// Sockets, and the files that Envoy watches.
    pub files: Layout,
    /// What opens the sidecar's doors: for this `run` alone.
    pub tokens: Tokens,
    /// The Envoy that is to take it.
    pub version: Version,
}

/// A rendered configuration.
pub struct Rendered {
    /// The configuration for files that Envoy watches. Its plugins have no routers: they learn from the sidecar what is
    /// wanted.
    pub bootstrap: Bootstrap,
    /// The certificates that the routers want.
    pub wants: Vec<Want>,
    /// What is taken, but deserves a line in the log.
    pub warnings: Vec<String>,
    /// By entry point, the flag that gives it another address, where that is no flag of Traefik's.
    pub address_flags: BTreeMap<String, String>,
    /// The routers that are closed.
    pub closed: Vec<setup::ClosedRouter>,
    /// The same configuration in one file, for Envoy to validate.
    pub candidate: Candidate,
}

/// Renders a configuration in one file, or says what is wrong with it, a line for each mistake.
pub type Candidate = Box<dyn Fn() -> Result<Value, Vec<String>> + Send + Sync>;

impl Rendered {
    /// The ports of its listeners.
    fn ports(&self) -> Vec<Port> {
        let mut ports = Port::of(&self.bootstrap.resources.listeners);
        for port in &mut ports {
            if let Some(flag) = self.address_flags.get(&port.entry_point) {
                port.flag.clone_from(flag);
            }
        }
        ports
    }
}
