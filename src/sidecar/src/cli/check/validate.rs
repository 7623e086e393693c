//! `envoy --mode validate`: Envoy's own judgement of a bootstrap.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use setup::check::{Document, Embedded, Finding, Report, known_tokens, refused};
use setup::envoy::version::Version;

use crate::{complaint, envoy, run};
use base::environment::Passed;
use base::files::{Directory, atomic_file};

/// The timeout: Envoy compiles the plugin, which takes a second or two on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The mode of the file: it may hold tokens, so only the owner may read it.
const MODE: u32 = 0o600;

/// An Envoy that validates.
pub(super) struct Validator {
    path: PathBuf,
    /// Envoy's whole environment.
    environment: Passed,
}

impl Validator {
    /// Finds the given Envoy, else the one on `PATH`, if there is one.
    ///
    /// # Errors
    /// When the given Envoy is missing.
    pub(super) fn find(asked: Option<PathBuf>, environment: Passed) -> Result<Option<Self>, String> {
        match (envoy::find(asked.as_deref()), asked) {
            (Some(path), _) => Ok(Some(Self { path, environment })),
            (None, Some(path)) => Err(format!("--envoy: {} is no file", path.display())),
            (None, None) => Ok(None),
        }
    }

    /// Envoy's version, if it reports one. An Envoy that can't be started is reported when it has to validate.
    pub(super) fn version(&self) -> Option<Version> {
        envoy::version(&self.path, &self.environment).ok().flatten()
    }

    /// Envoy's path, as the source of a finding.
    pub(super) fn source(&self) -> String {
        self.path.display().to_string()
    }

    /// Validates a bootstrap, to which these documents belong, the bootstrap's first. A refusal is a mistake, unless
    /// one of the same line has been found already: Envoy then says the same.
    ///
    /// # Errors
    /// When Envoy can't be started.
    pub(super) fn validate(&self, bootstrap: &Path, documents: &[Document], report: &mut Report) -> Result<(), String> {
        let source = documents.first().map(|document| document.source.clone()).unwrap_or_default();
        let arguments = ["--mode", "validate", "--use-dynamic-base-id", "--log-level", "error", "-c"];
        let answer =
            envoy::ask(&self.path, &self.environment, |command| command.args(arguments).arg(bootstrap), PATIENCE)
                .map_err(|error| format!("{}: can't be run: {error}", self.path.display()))?;
        let Some(answer) = answer else {
            let found = format!("an Envoy that had not validated it after {} s", PATIENCE.as_secs());
            let expected = "its `--mode validate` to end; --no-envoy leaves it out".to_owned();
            report.warning(Finding { source, expected, ..Finding::said(&found) });
            return Ok(());
        };
        if answer.is_fine {
            return Ok(());
        }
        let why = complaint::refusal(&answer.said, &known_tokens(documents));
        if envoy::lacks_wasm(&self.path, &self.environment, bootstrap, &answer.said) {
            let found = format!("an Envoy without a WebAssembly runtime, which the plugin needs ({why})");
            let expected = "one that is built with V8, as Envoy's own releases are".to_owned();
            report.mistake(Finding { source, expected, ..Finding::said(&found) });
            return Ok(());
        }
        let refused = refused(documents, &source, &why);
        let is_same =
            |known: &Finding| known.line.is_some() && (&known.source, known.line) == (&refused.source, refused.line);
        if !report.mistakes.iter().any(is_same) {
            report.mistake(refused);
        }
        Ok(())
    }

    /// Validates a pod's configuration. Envoy's complaints about files that are only in the pod are warnings.
    ///
    /// # Errors
    /// When the configuration can't be written to a file, or Envoy can't be started.
    pub(super) fn validate_embedded(&self, embedded: &Embedded, report: &mut Report) -> Result<(), String> {
        let place = run::Directory::open(None).map_err(|error| error.to_string())?;
        let file = place.path().join("envoy.yaml");
        written(&file, &embedded.text)
            .map_err(|error| format!("no file for Envoy to validate can be written: {error}"))?;
        let mut found = Report::default();
        self.validate(&file, &embedded.documents, &mut found)?;
        for refused in found.mistakes {
            let is_missing = |word: &str| word.starts_with('/') && !Path::new(word).exists();
            let words = refused.found.split([' ', ',', '\'', '(', ')']);
            if words.map(|word| word.trim_end_matches([':', '.'])).any(is_missing) {
                let expected = "that file where Envoy runs; here it is not".to_owned();
                report.warning(Finding { expected, ..refused });
            } else {
                report.mistake(refused);
            }
        }
        found.warnings.into_iter().for_each(|warning| report.warning(warning));
        Ok(())
    }
}

fn written(file: &Path, text: &str) -> io::Result<()> {
    let (directory, name) = Directory::of_entry(file)?;
    Ok(atomic_file::replace(&directory, &name, MODE, text.as_bytes())?)
}
