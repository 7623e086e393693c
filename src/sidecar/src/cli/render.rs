//! `render`: a configuration in Traefik's words, as Envoy's configuration.

mod args;
mod commands;
mod further;
mod into;
mod mesh;
mod mesh_args;
mod options;
mod output;
mod replaced;

use std::process::ExitCode;

use setup::Reading;
use setup::envoy::standing::Standing;
use setup::envoy::{Rendered, bootstrap, filter};

use super::dns::known_providers;
use super::failure::failed;
use super::wake;
use crate::closed;

use args::Format;
pub use args::RenderArgs;
use commands::{Around, notes};
use options::options;
pub(super) use options::{pem, pem_files};
use output::{WHOLE, lines, unguarded, write};

/// The upstream written in pieces: the configuration they are merged into has the routes.
const NOWHERE: &str = "127.0.0.1:9";

/// Renders; returns the exit status.
pub(super) fn run(args: &RenderArgs) -> ExitCode {
    match render(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(lines) => failed(&lines.join("\nenvoy-autocert: ")),
    }
}

fn render(args: &RenderArgs) -> Result<(), Vec<String>> {
    if let Some(bootstrap) = &args.into {
        return into::render(args, bootstrap);
    }
    let mut inputs = args.inputs.clone();
    if args.format != Format::Bootstrap && !inputs.domain.is_empty() {
        inputs.upstream.get_or_insert_with(|| NOWHERE.to_owned());
    }
    let inputs = inputs.read().map_err(|why| vec![why])?;
    let reading = setup::read(&inputs.sources).map_err(|mistakes| lines(&mistakes))?;
    known_providers(&reading)?;
    let rendered = rendered(&reading, args)?;
    let standing = Standing::of(&rendered.text);
    write(&rendered.text, &standing, WHOLE, args)?;
    for warning in reading.warnings.iter().chain(&rendered.warnings) {
        eprintln!("warning: {warning}");
    }
    match args.format {
        Format::Bootstrap => closed::lines(&reading.closed).iter().for_each(|line| eprintln!("{line}")),
        Format::Filter | Format::Istio | Format::EnvoyGateway => unguarded(&reading.closed),
    }
    let notes = match args.format.is_mesh() {
        true => mesh::notes(&reading.setup, args),
        false => {
            let around = Around { wake: wake::addresses(&reading.setup), ..Around::default() };
            notes(&reading.setup, &around, &standing, args)
        }
    };
    for note in notes {
        eprintln!("{note}");
    }
    Ok(())
}

fn rendered(reading: &Reading, args: &RenderArgs) -> Result<Rendered, Vec<String>> {
    let setup = &reading.setup;
    let options = options(setup, args)?;
    let rendered = match args.format {
        Format::Bootstrap => bootstrap::bootstrap(setup, &options),
        Format::Filter => filter::filter(setup, &options),
        Format::Istio => args.mesh.istio(setup, &options),
        Format::EnvoyGateway => args.mesh.envoy_gateway(setup, &options),
    };
    rendered.map_err(|mistakes| {
        lines(&mistakes.into_iter().map(|mistake| reading.flags.reworded(mistake)).collect::<Vec<_>>())
    })
}
