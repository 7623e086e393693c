//! `export`: its flags, and the loop around [`storage::export`].

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use notify::RecursiveMode;
use tokio::signal::unix::{SignalKind, signal};

use super::failure::failed;
use super::storages::{DEFAULT, StorageChoice, storages};
use crate::logging::{self, LogFormat, LogLevel};
use base::changes::Changes;
use base::hardening;
use pki::Name;
use storage::export::{Export, ExportError, Report, Selection};

/// The help that follows the flags.
const HELP: &str = "\
Each certificate gets a directory with the name of its first domain (_ for the * of a wildcard), and in it what
certbot's users know, and one file with everything, as HAProxy wants it:

  cert.pem  chain.pem  fullchain.pem  privkey.pem  combined.pem

They are links to a hidden directory beside them, which is replaced by one step: certificate and key always belong
together. What has not changed is not written again, and what this command has not made itself is never touched.
Directories and keys are for their owner alone.

It works beside a running sidecar, and changes nothing in the storage. Exit status: 0 when everything is there, else 1.";

/// The level of log lines: certificates that can't be read are logged.
const LOG_LEVEL: &str = "warn";

/// The flags of `export`.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct ExportArgs {
    /// File with the certificates: acme.json, as `sidecar` has it. As there, RESOLVER=PATH is that of one resolver.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_STORAGE",
        value_name = "[RESOLVER=]PATH",
        value_delimiter = ',',
        default_value = DEFAULT
    )]
    pub storage: Vec<StorageChoice>,

    /// Only the certificates of this resolver.
    #[arg(long, env = "ENVOY_AUTOCERT_RESOLVER", value_name = "NAME")]
    pub resolver: Option<String>,

    /// Only the certificates for this name, also wildcards that cover it. May be given several times.
    #[arg(
        long = "domain",
        env = "ENVOY_AUTOCERT_DOMAIN",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = domain
    )]
    pub domains: Vec<Name>,

    /// Go on, and write what changes, until SIGTERM or SIGINT.
    #[arg(long, env = "ENVOY_AUTOCERT_WATCH")]
    pub watch: bool,

    /// Tell what was done in JSON, one line each time.
    #[arg(long, env = "ENVOY_AUTOCERT_JSON")]
    pub json: bool,

    /// Directory to write to, created if missing.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

fn domain(text: &str) -> Result<Name, String> {
    Name::parse(text)
        .ok_or_else(|| "expected a domain, as in example.com or *.example.com, or an IP address".to_owned())
}

/// Writes once, or until a signal asks for the end; returns whether everything was written.
pub(super) fn run(args: ExportArgs) -> ExitCode {
    #[expect(clippy::expect_used, reason = "a test parses it")]
    logging::start(&LOG_LEVEL.parse::<LogLevel>().expect("a log level"), LogFormat::Text);
    hardening::keep_memory_private();
    let storages = match storages(&args.storage) {
        Ok(storages) => storages,
        Err(why) => return failed(&why),
    };
    let selection = Selection { resolver: args.resolver, domains: args.domains };
    let mut export = Export::new(storages, selection, args.directory);
    let mut teller = Teller { json: args.json, told: None };
    if args.watch {
        return match keep_current(export, teller) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => failed(&why),
        };
    }
    match export.run().map(|report| teller.tell(report)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failed(&error.to_string()),
    }
}

fn keep_current(mut export: Export, mut teller: Teller) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("there are no threads to run on: {error}"))?;
    runtime.block_on(async move {
        let caught = |kind| signal(kind).map_err(|error| format!("signals can't be caught: {error}"));
        let mut terminate = caught(SignalKind::terminate())?;
        let mut interrupt = caught(SignalKind::interrupt())?;
        let watched = export.watched();
        let mut changes = Changes::of(watched.iter().map(|path| (path.as_path(), RecursiveMode::NonRecursive)));
        let mut failure = None;
        // A wrong path is an error at once. A path that was right may be right again, and the sidecar may start later.
        let mut is_first = true;
        loop {
            match export.run() {
                Ok(report) => {
                    teller.tell(report);
                    failure = None;
                }
                Err(error) if is_first && !error.is_missing_storage() => return Err(error.to_string()),
                Err(error) => teller.tell_failure(&error, &mut failure),
            }
            is_first = false;
            tokio::select! {
                () = changes.next() => {}
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
            }
        }
    })
}

/// Reports each event once. If nobody reads the reports any more they are dropped; the files count.
struct Teller {
    json: bool,
    told: Option<Report>,
}

impl Teller {
    /// Reports, and returns whether everything was written.
    fn tell(&mut self, report: Report) -> bool {
        let is_news = self.told.as_ref().is_none_or(|told| report.is_news_after(told));
        let told = self.told.take().unwrap_or_default();
        let _ = match self.json {
            true if is_news => report.write_json(io::stdout()),
            true => Ok(()),
            false => report.write_text(&told, io::stdout(), io::stderr()),
        };
        self.told.insert(report).problems.is_empty()
    }

    fn tell_failure(&self, error: &ExportError, told: &mut Option<String>) {
        let text = error.to_string();
        if told.as_ref() != Some(&text) {
            tracing::warn!("{text}; it is tried again when something changes");
            *told = Some(text);
        }
    }
}
