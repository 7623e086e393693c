//! `render --into`: what a bootstrap of the user's own is missing, added to it.

use std::fs;
use std::path::Path;

use setup::Reading;
use setup::envoy::standing::Standing;
use setup::into::{Added, Inferred, add, infer};

use super::super::input_files::text;
use super::{RenderArgs, lines, notes, options, unguarded, write};
use crate::cli::{InputArgs, wake};

/// Where requests go is the bootstrap's business; a router of `--domain` has to say something.
const UPSTREAM: &str = "127.0.0.1:9";

/// Writes the bootstrap with what it was missing, and says on stderr what that is and why.
pub(super) fn render(args: &RenderArgs, bootstrap: &Path) -> Result<(), Vec<String>> {
    in_place(args, bootstrap)?;
    let source = bootstrap.display().to_string();
    let text = text(bootstrap).map_err(|why| vec![why])?;
    let Inferred { certificates, notes: reasons } = infer(&source, &text).map_err(|why| vec![why])?;
    let (Reading { setup, warnings, closed, .. }, is_inferred) = reading(&args.inputs, &certificates)?;
    let Added { text, notes: added, unplaced, challenged } = add(&source, &text, &setup, &options(&setup, args)?)?;
    if args.inputs.strict && !(unplaced.is_empty() && warnings.is_empty()) {
        return Err(unplaced.into_iter().chain(warnings).collect());
    }
    let standing = Standing::of(&text);
    write(&text, &standing, args)?;
    let reasons = reasons.iter().filter(|_| is_inferred).map(|line| format!("name: {line}"));
    let added = added.iter().map(|line| format!("added: {line}"));
    let warnings = unplaced.iter().chain(&warnings).map(|line| format!("warning: {line}"));
    for line in reasons.chain(added).chain(warnings).chain(notes(&setup, &wake::from_here(challenged), &standing, args))
    {
        eprintln!("{line}");
    }
    unguarded(&closed);
    Ok(())
}

/// A bootstrap is never written over, not even by force.
fn in_place(args: &RenderArgs, bootstrap: &Path) -> Result<(), Vec<String>> {
    let Some(output) = &args.output else { return Ok(()) };
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if real(output) == real(bootstrap) {
        let why = format!("{}: expected another file for --output than for --into", output.display());
        return Err(vec![why]);
    }
    Ok(())
}

/// What is to be set up; where nothing says for which names, for those that were inferred.
fn reading(inputs: &InputArgs, inferred: &[Vec<String>]) -> Result<(Reading, bool), Vec<String>> {
    let has_files = !inputs.config.is_empty() || !inputs.values.is_empty() || !inputs.traefik.0.is_empty();
    let mut inputs = inputs.clone();
    if has_files && inputs.domain.is_empty() {
        let sources = inputs.read().map_err(|why| vec![why])?.sources;
        let reading = setup::read(&sources).map_err(|mistakes| lines(&mistakes))?;
        if inferred.is_empty() || has_certificates(&reading) {
            return Ok((reading, false));
        }
    }
    let is_inferred = inputs.domain.is_empty();
    if is_inferred {
        inputs.domain = inferred.iter().map(|names| names.join(",")).collect();
    }
    if inputs.domain.is_empty() {
        let why =
            "there are no names for certificates: the bootstrap has none that could be taken; --domain takes them";
        return Err(vec![why.to_owned()]);
    }
    inputs.upstream.get_or_insert_with(|| UPSTREAM.to_owned());
    let sources = inputs.read().map_err(|why| vec![why])?.sources;
    let reading = setup::read(&sources).map_err(|mistakes| lines(&mistakes))?;
    Ok((reading, is_inferred))
}

fn has_certificates(reading: &Reading) -> bool {
    let setup = &reading.setup;
    let http = setup.http_routers.iter().any(|router| router.tls.as_ref().is_some_and(|tls| tls.resolver.is_some()));
    http || setup.tcp_routers.iter().any(|router| router.tls.is_some())
}
