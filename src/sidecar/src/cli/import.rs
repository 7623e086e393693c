//! The flags of `import`, and the command.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde::Serialize;
use serde_json::json;

use super::failure::failed;
use super::storages::{DEFAULT, StorageChoice, storages};
use base::clock::Clock;
use base::hardening;
use storage::import::{Kind, Options, Report, ResolverChoice, import, shown};

/// The help that follows the flags.
const HELP: &str = "\
Taken are, each recognised by what lies there, also further down in a directory: acme.sh's ~/.acme.sh, Caddy's data
directory, certbot's /etc/letsencrypt, dehydrated's directory, lego's .lego, mod_md's MDStoreDir, the state_path of nginx's
ACME module, Traefik's acme.json of version 1, 2 or 3; Secrets of Kubernetes with a certificate, in YAML or JSON; and PEM: a
bundle of chain and key, a chain with --key, or a directory of such, as HAProxy has them.

Certificates come with their keys, and accounts whose key can sign requests here (P-256, as acme.sh, lego and Caddy make
them), so that nothing is ordered or registered anew. The source is only read. Expired certificates are taken too, being
better than none, and renewed at once. What is damaged is listed with its reason and left out, and so is what a CA's test
system has issued, unless --staging is given; a stored certificate of the same names that lasts longer stays. A second run
changes nothing.

Stop the sidecar first: it holds the storage while it runs. A dry run needs no stop: it only looks, and writes nothing.

Run it as the sidecar's user, or as root: in a directory of another user root writes the storage as that user.

Exit status: 0 when everything that can be used is in the storage, also when something was left out (it is in the list,
and in --json); 1 when the source has nothing that can be used (error in --json says what was looked for), or the source or
the storage can't be used at all, and nothing was changed.";

/// The flags of `import`.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct ImportArgs {
    /// Another tool's file or directory, such as /etc/letsencrypt, ~/.acme.sh or acme.json.
    #[arg(value_name = "PATH")]
    pub path: PathBuf,

    /// File with the private key, if PATH is a chain in PEM without it.
    #[arg(long, env = "ENVOY_AUTOCERT_KEY", value_name = "FILE", conflicts_with = "from")]
    pub key: Option<PathBuf>,

    /// The tool that wrote the files, if it is not recognised.
    #[arg(long, env = "ENVOY_AUTOCERT_FROM", value_name = "TOOL", value_parser = kinds())]
    pub from: Option<Kind>,

    /// The resolver to import for, by its name in your configuration. Traefik 2 and 3 name their resolvers in the file:
    /// there NAME picks one or renames the only one, and OLD=NEW picks one and renames it.
    #[arg(long, env = "ENVOY_AUTOCERT_RESOLVER", value_name = "NAME")]
    pub resolver: Option<ResolverChoice>,

    /// The sidecar's storage; as RESOLVER=PATH, the storage of one resolver. May be given several times.
    #[arg(
        long = "storage",
        env = "ENVOY_AUTOCERT_STORAGE",
        value_name = "[RESOLVER=]PATH",
        value_delimiter = ',',
        default_value = DEFAULT
    )]
    pub storages: Vec<StorageChoice>,

    /// Also import certificates of CAs' test systems, such as Let's Encrypt's staging: browsers don't trust them.
    #[arg(long, env = "ENVOY_AUTOCERT_STAGING")]
    pub staging: bool,

    /// Only print what would be done.
    #[arg(long, env = "ENVOY_AUTOCERT_DRY_RUN")]
    pub dry_run: bool,

    /// Print JSON.
    #[arg(long, env = "ENVOY_AUTOCERT_JSON")]
    pub json: bool,
}

/// The names of the tools, each with its help.
fn kinds() -> impl TypedValueParser<Value = Kind> {
    let words = Kind::ALL.map(|kind| PossibleValue::new(kind.word()).help(kind.described()));
    PossibleValuesParser::new(words).try_map(|word| word.parse::<Kind>())
}

/// Imports, and prints a report.
pub(super) fn run(args: &ImportArgs) -> ExitCode {
    hardening::keep_memory_private();
    let report = match report(args) {
        Ok(report) => report,
        Err(why) => {
            if args.json {
                // An error goes to standard error if it can't be printed as JSON.
                let _ = json(&json!({ "error": why }), &mut io::stdout().lock());
            }
            return failed(&shown(&why));
        }
    };
    for warning in &report.warnings {
        eprintln!("warning: {}", shown(warning));
    }
    let mut out = io::stdout().lock();
    let told = if args.json { json(&report, &mut out) } else { write!(out, "{report}") };
    match told.and_then(|()| out.flush()) {
        Ok(()) => report.error.as_deref().map_or(ExitCode::SUCCESS, |why| failed(&shown(why))),
        Err(error) => failed(&format!("it is done, but can't be told: {error}")),
    }
}

fn report(args: &ImportArgs) -> Result<Report, String> {
    let options = Options {
        path: args.path.clone(),
        key: args.key.clone(),
        kind: args.from,
        resolver: args.resolver.clone(),
        storages: storages(&args.storages)?,
        takes_tests: args.staging,
        dry_run: args.dry_run,
    };
    import(&options, &Clock::system()).map_err(|error| error.to_string())
}

fn json(told: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, told)?;
    writeln!(out)
}
