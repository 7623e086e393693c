//! `run`: sidecar, Envoy and configuration in one command.
//!
//! Promises: a running Envoy gets only configurations that another Envoy has validated; a bad change is reported and
//! the previous configuration stays; a change of routers and services drops no connection; an Envoy that dies is
//! restarted, with backoff; shutdown is graceful, and Envoy never outlives us. Refuses: to know what configurations
//! look like. The caller renders them.

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

/// The interval at which Envoy is asked while we wait.
const ASKING: Duration = Duration::from_millis(50);

/// The options of a `run`.
pub struct Run {
    /// The sidecar's options, except its tokens. Its sockets are in `directory`.
    pub sidecar: Options,
    /// The directory of sockets and Envoy's files.
    pub directory: Directory,
    /// Envoy's path; if unset, the Envoy on PATH.
    pub envoy: Option<PathBuf>,
    /// Envoy's version; if unset, the version it reports.
    pub envoy_version: Option<Version>,
    /// More arguments for Envoy.
    pub envoy_arguments: Vec<String>,
    /// The level of our log.
    pub log_level: LevelFilter,
    /// Envoy's whole environment.
    pub envoy_environment: Passed,
    /// The plugin's path; if unset, it is searched for.
    pub plugin: Option<PathBuf>,
    /// True if handshakes verify new certificates even if the sidecar's flags name no address.
    pub is_verifying: bool,
    /// The time for requests under way at the end.
    pub grace: Duration,
    /// The source of the configuration.
    pub source: Box<dyn Source>,
    /// The CAs of its resolvers, which don't change after the start.
    pub cas: Vec<Ca>,
}

/// A source of configurations.
pub trait Source: Send {
    /// Reads and renders the configuration as it is now.
    ///
    /// # Errors
    /// With a line for each mistake.
    fn read(&mut self, target: &RenderTarget) -> Result<Rendered, Vec<String>>;

    /// The files and directories whose changes matter.
    fn watched(&self) -> Vec<PathBuf>;
}

/// The paths and tokens that a configuration has to name.
#[derive(Clone, Debug)]
pub struct RenderTarget {
    /// The plugin.
    pub plugin: PathBuf,
    /// Sockets, and the files that Envoy watches.
    pub files: Layout,
    /// The tokens of the sidecar's sockets, for this `run` alone.
    pub tokens: Tokens,
    /// The version of the Envoy that the configuration is for.
    pub version: Version,
}

/// A rendered configuration.
pub struct Rendered {
    /// The configuration for files that Envoy watches. Its plugins have no routers: the sidecar tells them what is
    /// wanted.
    pub bootstrap: Bootstrap,
    /// The certificates that the routers want.
    pub wants: Vec<Want>,
    /// Warnings about a valid configuration, for the log.
    pub warnings: Vec<String>,
    /// By entry point, the flag that changes its address, if it is no flag of Traefik's.
    pub address_flags: BTreeMap<String, String>,
    /// The routers that are closed.
    pub closed: Vec<setup::ClosedRouter>,
    /// The same configuration in one file, for Envoy to validate.
    pub candidate: Candidate,
}

/// Renders a configuration in one file, or returns a line for each mistake.
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
