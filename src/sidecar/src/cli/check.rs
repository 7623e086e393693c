//! `check`: the mistakes of a configuration, one a line.

mod files;
mod validate;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use setup::ClosedRouter;
use setup::check::{DocumentKind, Finding, Report, kind};
use setup::envoy::version::{Version, needed};

use super::InputArgs;
use super::dns::unknown_providers;
use super::envoy_environment::EnvoyEnvironmentArgs;
use super::failure::failed;
use files::Files;
use validate::Validator;

/// The flags of `check`.
///
/// A file is taken for what its content says: Traefik's configuration, a bootstrap of Envoy's (the local files that it
/// names for listeners and clusters are read too), listeners, clusters or HTTP filters of Envoy's alone, a ConfigMap of
/// Kubernetes that holds a bootstrap, Istio's or Envoy Gateway's resources. A bootstrap is also given to
/// `envoy --mode validate`, if Envoy is there; what Envoy refuses is one mistake, in its words.
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = "It ends with 0 when there is no mistake, with 1 when there is one, and with 2 when something can't be \
                  read. With --strict each warning is a mistake."
)]
pub struct CheckArgs {
    /// Files to check.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// The configuration to check besides files.
    #[command(flatten)]
    pub inputs: InputArgs,

    /// Print one JSON object: ok, mistakes and warnings, each with source, path, found, expected, nearest and line.
    #[arg(long, env = "ENVOY_AUTOCERT_JSON")]
    pub json: bool,

    /// The program that validates a bootstrap, instead of the envoy on PATH.
    #[arg(long, env = "ENVOY_AUTOCERT_ENVOY", value_name = "PATH")]
    pub envoy: Option<PathBuf>,

    /// Version of the Envoy that the files are for, as 1.38, instead of the one that --envoy, or the envoy on PATH, says.
    /// An envoy on PATH of another version then validates nothing.
    #[arg(long, env = "ENVOY_AUTOCERT_ENVOY_VERSION", value_name = "VERSION")]
    pub envoy_version: Option<Version>,

    /// The environment of the Envoy that validates.
    #[command(flatten)]
    pub envoy_environment: EnvoyEnvironmentArgs,

    /// Do not have Envoy validate bootstraps.
    #[arg(long, env = "ENVOY_AUTOCERT_NO_ENVOY", conflicts_with = "envoy")]
    pub no_envoy: bool,
}

/// The exit status when a file could not be read.
const UNREADABLE: u8 = 2;

/// Checks everything, and prints the mistakes.
pub(super) fn run(args: CheckArgs) -> ExitCode {
    let is_json = args.json;
    let is_strict = args.inputs.strict;
    let (report, ended) = match checked(args) {
        Ok(report) => {
            let is_fine = report.mistakes.is_empty() && (report.warnings.is_empty() || !is_strict);
            (report, if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Err(why) if is_json => {
            let mistakes = vec![Finding::said(&why)];
            (Report { mistakes, ..Report::default() }, ExitCode::from(UNREADABLE))
        }
        Err(why) => {
            let _ = failed(&why);
            return ExitCode::from(UNREADABLE);
        }
    };
    let text = if is_json { json(report, is_strict) } else { lines(&report, is_strict) };
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ended,
        Err(error) => failed(&format!("what was found can't be written: {error}")),
    }
}

fn checked(args: CheckArgs) -> Result<Report, String> {
    let CheckArgs { files, mut inputs, envoy, envoy_version, envoy_environment, no_envoy, .. } = args;
    let is_asked_for = envoy.is_some();
    let mut validator = if no_envoy { None } else { Validator::find(envoy, envoy_environment.passed())? };
    let said = validator.as_ref().and_then(Validator::version);
    if !is_asked_for && envoy_version.is_some_and(|version| said != Some(version)) {
        validator = None;
    }
    let of_validator = validator.as_ref().and_then(|validator| doubtful(validator, said, envoy_version));
    let version = envoy_version.or(said);
    let named = !files.is_empty() || !inputs.config.is_empty();
    let files = Files::sort(files.into_iter().chain(std::mem::take(&mut inputs.config)))?;
    inputs.config.clone_from(&files.others);
    let has_inputs = !files.others.is_empty()
        || !inputs.values.is_empty()
        || !inputs.domain.is_empty()
        || !inputs.traefik.0.is_empty();
    let mut report = files.report;
    match of_validator {
        Some(finding) if is_asked_for => report.mistake(finding),
        Some(finding) => report.warning(finding),
        None => {}
    }
    if let Some(too_old) = version.filter(|version| version.refusal().is_some()) {
        let source = validator.take().filter(|_| envoy_version.is_none()).map(|validator| validator.source());
        report.mistake(Finding {
            source: source.unwrap_or_else(|| "--envoy-version".to_owned()),
            expected: needed(),
            ..Finding::said(&format!("Envoy {too_old}"))
        });
    }
    if has_inputs || !named {
        report.extend(of_inputs(&inputs, version)?);
    }
    for group in &files.groups {
        let mut found = setup::check::envoy(&group.documents);
        found.extend(version.map(|version| setup::check::for_version(&group.documents, version)).unwrap_or_default());
        if let (Some(path), Some(validator)) = (&group.bootstrap, &validator) {
            validator.validate(path, &group.documents, &mut found)?;
        }
        report.extend(found);
    }
    for embedded in &files.embedded {
        let mut found = setup::check::envoy(&embedded.documents);
        found
            .extend(version.map(|version| setup::check::for_version(&embedded.documents, version)).unwrap_or_default());
        let is_bootstrap = embedded.documents.iter().any(|document| kind(&document.top()) == DocumentKind::Bootstrap);
        if let (Some(validator), true) = (&validator, is_bootstrap) {
            validator.validate_embedded(embedded, &mut found)?;
        }
        report.extend(embedded.placed(found));
    }
    if !files.kubernetes.is_empty() {
        report.extend(setup::check::kubernetes(&files.kubernetes));
    }
    Ok(report)
}

/// A warning about an Envoy that reports no version, or another one than the given version.
fn doubtful(validator: &Validator, said: Option<Version>, given: Option<Version>) -> Option<Finding> {
    let (found, expected) = match (said, given) {
        (None, None) => ("a program that does not say with --version which Envoy it is".to_owned(), "an Envoy"),
        (Some(said), Some(given)) if said != given => {
            (format!("Envoy {said}, and --envoy-version {given}"), "the same version")
        }
        _ => return None,
    };
    Some(Finding { source: validator.source(), expected: expected.to_owned(), ..Finding::said(&found) })
}

/// Checks a configuration in Traefik's words, for an Envoy of this version.
fn of_inputs(inputs: &InputArgs, version: Option<Version>) -> Result<Report, String> {
    let inputs = inputs.read()?;
    let reading = match setup::read(&inputs.sources) {
        Ok(reading) => reading,
        Err(mistakes) => {
            let mistakes = mistakes.into_iter().map(Finding::from).collect();
            return Ok(Report { mistakes, ..Report::default() });
        }
    };
    let warnings = reading.warnings.iter().map(|warning| Finding::said(warning)).collect();
    // Two resolvers that trust one CA differently are each right, and can't be beside each other.
    let mut mistakes = setup::envoy::ca::all(&reading.setup.resolvers).err().unwrap_or_default();
    mistakes.extend(version.and_then(|version| version.will_do(&reading.setup).err()).unwrap_or_default());
    let mistakes =
        mistakes.into_iter().map(|mistake| reading.flags.reworded(mistake)).chain(unknown_providers(&reading));
    let mistakes = mistakes.map(|mistake| setup::Mistake { source: None, position: None, mistake });
    let closed = reading.closed.iter().map(of_closed);
    Ok(Report { mistakes: mistakes.map(Finding::from).chain(closed).collect(), warnings })
}

/// A warning about a closed router: its user has to know that it serves nobody.
fn of_closed(router: &ClosedRouter) -> Finding {
    Finding {
        source: router.source.clone().unwrap_or_else(|| "configuration".to_owned()),
        path: router.path(),
        found: format!("a router that is closed (503) for what it lacks: {}", router.why.join("; ")),
        expected: format!("one that can be served: {}", router.advice()),
        nearest: None,
        line: None,
    }
}

fn json(report: Report, is_strict: bool) -> String {
    let Report { mut mistakes, mut warnings } = report;
    if is_strict {
        mistakes.append(&mut warnings);
    }
    format!("{}\n", json!({ "ok": mistakes.is_empty(), "mistakes": mistakes, "warnings": warnings }))
}

fn lines(report: &Report, is_strict: bool) -> String {
    let warning = if is_strict { "mistake" } else { "warning" };
    let mistakes = report.mistakes.iter().map(|finding| format!("mistake: {finding}\n"));
    let warnings = report.warnings.iter().map(|finding| format!("{warning}: {finding}\n"));
    let strict = if is_strict { report.warnings.len() } else { 0 };
    let mistakes_number = report.mistakes.len() + strict;
    let warnings_number = report.warnings.len() - strict;
    let start = if mistakes_number == 0 { "fine: " } else { "" };
    let plural = |number: usize| if number == 1 { "" } else { "s" };
    mistakes.chain(warnings).collect::<String>()
        + &format!(
            "{start}{mistakes_number} mistake{}, {warnings_number} warning{}\n",
            plural(mistakes_number),
            plural(warnings_number),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts() {
        let report = Report { mistakes: vec![Finding::said("a")], warnings: vec![Finding::said("b")] };
        assert_eq!(lines(&report, false), "mistake: a\nwarning: b\n1 mistake, 1 warning\n");
        assert_eq!(lines(&report, true), "mistake: a\nmistake: b\n2 mistakes, 0 warnings\n");
        assert_eq!(lines(&Report::default(), true), "fine: 0 mistakes, 0 warnings\n");
    }

    #[test]
    fn a_script_gets_one_object() {
        let report = Report { warnings: vec![Finding::said("b")], ..Report::default() };
        let object = |is_strict| serde_json::from_str::<serde_json::Value>(&json(report.clone(), is_strict)).ok();
        let finding = json!({ "source": "", "path": "", "found": "b", "expected": "", "nearest": null });
        assert_eq!(object(false), Some(json!({ "ok": true, "mistakes": [], "warnings": [finding] })));
        assert_eq!(object(true), Some(json!({ "ok": false, "mistakes": [finding], "warnings": [] })));
    }
}
