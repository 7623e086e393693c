//! The flags of `import`, and the command.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::failed;
use super::storages::{DEFAULT, StorageChoice, storages};
use crate::catalog::now_seconds;
use crate::hardening;
use crate::import::{Kind, Options, Report, ResolverChoice, import};

/// What the flags alone don't tell.
const HELP: &str = "\
Certificates come with their keys, and accounts whose key can sign requests here (P-256, as lego and Caddy make them), so
that nothing is ordered or registered anew. The source is only read. Expired certificates are taken too, being better
than none, and renewed at once. What is damaged is listed with its reason and left out; a stored certificate of the same
names that lasts longer stays. A second run changes nothing.

Stop the sidecar first: it holds the storage while it runs. A dry run needs no stop: it only looks, and writes nothing.

Run it as the sidecar's user, or as root: in a directory of another user root writes the storage as that user.

Exit status: 0 when everything that can be used is in the storage, also when something was left out (it is in the list,
and in --json); 1 when the source or the storage can't be used, and nothing was changed.";

/// The flags of `import`.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct ImportArgs {
    /// Traefik's acme.json (of version 1, 2 or 3), certbot's /etc/letsencrypt, Caddy's data directory or lego's .lego.
    #[arg(value_name = "PATH")]
    pub path: PathBuf,

    /// Whose files these are; without it, that is recognised.
    #[arg(long, env = "ENVOY_AUTOCERT_FROM", value_name = "TOOL")]
    pub from: Option<Kind>,

    /// The resolver they are for, by its name in your configuration. Traefik 2 and 3 name their resolvers in the file:
    /// there NAME picks one or renames the only one, and OLD=NEW picks one and renames it.
    #[arg(long, env = "ENVOY_AUTOCERT_RESOLVER", value_name = "NAME")]
    pub resolver: Option<ResolverChoice>,

    /// The sidecar's storage; as RESOLVER=PATH, that of one resolver. May be given several times.
    #[arg(
        long = "storage",
        env = "ENVOY_AUTOCERT_STORAGE",
        value_name = "[RESOLVER=]PATH",
        value_delimiter = ',',
        default_value = DEFAULT
    )]
    pub storages: Vec<StorageChoice>,

    /// Only say what would be done.
    #[arg(long, env = "ENVOY_AUTOCERT_DRY_RUN")]
    pub dry_run: bool,

    /// Tell it as JSON.
    #[arg(long, env = "ENVOY_AUTOCERT_JSON")]
    pub json: bool,
}

/// Takes over what there is, and tells of it.
pub(super) fn run(args: &ImportArgs) -> ExitCode {
    hardening::keep_memory_private();
    let report = match report(args) {
        Ok(report) => report,
        Err(why) => return failed(&why),
    };
    for warning in &report.warnings {
        eprintln!("warning: {warning}");
    }
    let mut out = io::stdout().lock();
    let told = if args.json { json(&report, &mut out) } else { write!(out, "{report}") };
    match told.and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&format!("it is done, but can't be told: {error}")),
    }
}

fn report(args: &ImportArgs) -> Result<Report, String> {
    let options = Options {
        path: args.path.clone(),
        kind: args.from,
        resolver: args.resolver.clone(),
        storages: storages(&args.storages)?,
        dry_run: args.dry_run,
    };
    import(&options, now_seconds()).map_err(|error| error.to_string())
}

fn json(report: &Report, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}
