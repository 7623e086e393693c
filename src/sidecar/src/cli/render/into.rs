//! `render --into`: the user's own bootstrap, completed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use setup::envoy::standing::Standing;
use setup::input::proves_wildcards;
use setup::into::{Added, Inferred, Wishes, add, certifiable, infer};
use setup::{Bootstrap, Reading};

use super::super::input_files::text;
use super::args::RenderArgs;
use super::commands::{Around, notes};
use super::options::options;
use super::output::{Written, lines, unguarded, write};
use super::replaced;
use super::replaced::Replacements;
use crate::cli::dns::known_providers;
use crate::cli::wake;

/// Writes the completed bootstrap, and explains the additions on stderr.
pub(super) fn render(args: &RenderArgs, bootstrap: &Path) -> Result<(), Vec<String>> {
    in_place(args, bootstrap)?;
    let source = bootstrap.display().to_string();
    let text = text(bootstrap).map_err(|why| vec![why])?;
    let mut wishes = Wishes {
        replace_certificates: args.replace_certificates,
        add_https: args.add_https,
        redirect: args.redirect,
        with_wildcards: false,
    };
    wishes.with_wildcards = proves_wildcards(&sources(args, Bootstrap::default())?);
    let inferred = infer(&source, &text, &wishes)?;
    let (reading, reasons) = reading(args, &source, &inferred, &wishes)?;
    known_providers(&reading)?;
    let Reading { setup, warnings, closed, .. } = reading;
    let Added { text, notes: added, unplaced, challenged, served, replaced } =
        add(&source, &text, &setup, &options(&setup, args)?, &wishes)?;
    if args.inputs.strict && !(unplaced.is_empty() && warnings.is_empty()) {
        return Err(unplaced.into_iter().chain(warnings).collect());
    }
    let standing = Standing::of(&text);
    write(&marked(text), &standing, Written { mark: MARK, most: mode(bootstrap)? }, args)?;
    let ignored =
        args.inputs.upstream.iter().map(|_| "--upstream: without effect: requests go where the bootstrap says");
    let Replacements { default, notes: along } = replaced::replacements(&replaced, &setup);
    let around = Around { wake: wake::from_here(challenged), verify: wake::from_here(served), default };
    let name = |line: &String| format!("name: {line}");
    let addition = |line: &String| {
        if line.starts_with("kept: ") || line.starts_with("taken out: ") {
            line.clone()
        } else {
            format!("added: {line}")
        }
    };
    let warnings =
        unplaced.iter().chain(&warnings).map(String::as_str).chain(ignored).map(|line| format!("warning: {line}"));
    let said = reasons.iter().map(name).chain(added.iter().map(addition)).chain(warnings).chain(along);
    for line in said.chain(notes(&setup, &around, &standing, args)) {
        eprintln!("{line}");
    }
    unguarded(&closed);
    Ok(())
}

/// The first line of a completed bootstrap, most of which is the user's.
const MARK: &str =
    "# Made by `envoy-autocert render --into`: whoever renders it anew loses what was changed here by hand.";

/// The mode of the bootstrap: it may hold keys, which the new file must not reveal either.
fn mode(bootstrap: &Path) -> Result<u32, Vec<String>> {
    let found = fs::metadata(bootstrap).map_err(|error| vec![format!("{}: {error}", bootstrap.display())])?;
    Ok(found.permissions().mode() & 0o777)
}

/// Adds the first line by which a later run recognises its own file. JSON has no comments, and a byte order mark has to
/// stay the first of all.
fn marked(text: String) -> String {
    if text.starts_with(MARK) || text.starts_with('\u{feff}') || text.trim_start().starts_with(['{', '[']) {
        return text;
    }
    let is_crlf = text.split_once('\n').is_some_and(|(first, _)| first.ends_with('\r'));
    format!("{MARK}{}{text}", if is_crlf { "\r\n" } else { "\n" })
}

/// Refuses to overwrite the bootstrap itself, even with --force.
fn in_place(args: &RenderArgs, bootstrap: &Path) -> Result<(), Vec<String>> {
    let Some(output) = &args.output else { return Ok(()) };
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if real(output) == real(bootstrap) {
        let why = format!("{}: expected another file for --output than for --into", output.display());
        return Err(vec![why]);
    }
    Ok(())
}

fn sources(args: &RenderArgs, bootstrap: Bootstrap) -> Result<setup::Sources, Vec<String>> {
    args.inputs.read_beside(bootstrap).map(|inputs| inputs.sources).map_err(|why| vec![why])
}

/// The configuration, and the reason for its names: those of `--domain`, else of the routers of `--config`, else of the
/// bootstrap's virtual hosts and certificates.
fn reading(
    args: &RenderArgs,
    source: &str,
    inferred: &Inferred,
    wishes: &Wishes,
) -> Result<(Reading, Vec<String>), Vec<String>> {
    let read = |certificates: Vec<String>| {
        let bootstrap = Bootstrap {
            source: source.to_owned(),
            entry_points: inferred.entry_points.clone(),
            certificates,
            resolver: args.resolver.clone(),
            challenged: inferred.challenged.clone(),
            dns: None,
        };
        setup::read(&sources(args, bootstrap)?).map_err(|mistakes| lines(&mistakes))
    };
    if !args.inputs.domain.is_empty() {
        return Ok((read(args.inputs.domain.clone())?, Vec::new()));
    }
    let without = read(Vec::new())?;
    if has_certificates(&without) {
        return Ok((without, Vec::new()));
    }
    let mut reasons = inferred.notes.clone();
    let mut certificates = inferred.certificates.clone();
    for file in &inferred.named_by {
        match replaced::names(file) {
            Ok(names) => {
                let (names, notes) = certifiable(&names, &format!("the certificate {file}"), wishes);
                certificates.push(names);
                reasons.extend(notes);
            }
            Err(why) => reasons.push(format!("{file}: left out, {why}")),
        }
    }
    if certificates.iter().all(Vec::is_empty) {
        let why = format!(
            "{source}: there are no names for certificates: the bootstrap has none that could be taken; --domain takes them"
        );
        return Err(reasons.into_iter().chain([why]).collect());
    }
    let mut known = std::collections::HashSet::new();
    let once = |names: Vec<String>| names.into_iter().filter(|name| known.insert(name.clone())).collect::<Vec<_>>();
    let certificates = certificates.into_iter().map(once).filter(|names| !names.is_empty());
    Ok((read(certificates.map(|names| names.join(",")).collect())?, reasons))
}

fn has_certificates(reading: &Reading) -> bool {
    let setup = &reading.setup;
    let http = setup.http_routers.iter().any(|router| router.tls.as_ref().is_some_and(|tls| tls.resolver.is_some()));
    http || setup.tcp_routers.iter().any(|router| router.tls.is_some())
}
