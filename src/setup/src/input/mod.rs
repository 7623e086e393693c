//! Reads the sources of the user's configuration, and merges them.
//!
//! Traefik takes its static configuration from files, else from flags, else from the environment. Here all sources are
//! merged, and later ones take precedence: `--domain` and its like, files, environment variables, flags, and `--email`
//! and its like. Files have equal precedence: two files with different values for one key are a mistake.
//!
//! Values of Traefik's Helm chart count as files; their `env` and `additionalArguments` count as variables and flags.

mod bootstrap;
mod canonical;
mod document;
mod environment;
mod flags;
mod flat;
mod helm;
mod layers;
mod left_out;
mod mistake;
mod quick;
mod resolver_names;
mod shape;
mod sources;
mod template;

use serde_json::{Map, Value};

pub use bootstrap::Bootstrap;
pub use document::MAX_FILE;
pub use flags::{Arguments, split as split_arguments};
pub use mistake::Mistake;
pub use quick::{Flags, Quick};
pub use sources::{SourceFile, Sources};

pub(crate) use canonical::go_flag;
use layers::Rank;
pub(crate) use layers::{Layer, source_of};
pub(crate) use mistake::{InputReport, quoted, wrong};
pub(crate) use quick::{WEB, Words};

use crate::traefik::helm::Values;
use canonical::{Form, canonical};
use left_out::LeftOut;
use shape::{CONFIGURATION, HELM, Shape};

/// `providers.file`: locations of further files, relative to the working directory, as in Traefik.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileProvider {
    /// `filename`: one file.
    pub filename: Option<String>,
    /// `directory`: the .yml, .yaml and .toml files in it and below.
    pub directory: Option<String>,
    /// `watch`, true by default.
    pub watch: bool,
}

/// The further files that the sources name. Mistakes are not reported here: [`crate::read`] does that.
pub fn file_provider(sources: &Sources) -> FileProvider {
    let mut report = InputReport::default();
    let layers = layers(sources, &mut report);
    let whole = layers::merged(&layers, &mut report);
    let text = |key: &str| {
        let value = whole.pointer("/providers/file")?.get(key)?;
        value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let watch = whole.pointer("/providers/file/watch").and_then(Value::as_bool).unwrap_or(true);
    FileProvider { filename: text("filename"), directory: text("directory"), watch }
}

/// All sources, merged; with mistakes that leave parts out, `None`.
pub(crate) fn merged(sources: &Sources, report: &mut InputReport) -> Option<(Value, Vec<Layer>)> {
    let layers = layers(sources, report);
    let whole = layers::merged(&layers, report);
    (!report.is_partial).then_some((whole, layers))
}

/// Every source in canonical form, in the order of precedence.
fn layers(sources: &Sources, report: &mut InputReport) -> Vec<Layer> {
    let mut left_out = LeftOut::default();
    let mut reader = Reader { left_out: &mut left_out, report };
    let mut layers = Vec::new();
    for file in &sources.files {
        reader.file(file, false, &mut layers);
    }
    for file in &sources.values {
        reader.file(file, true, &mut layers);
    }
    let environment = environment::tree(&sources.environment, reader.report);
    reader.flat(environment::SOURCE, environment, &mut layers);
    let flags = flags::tree(&sources.flags, reader.report);
    reader.flat(flags::SOURCE, flags, &mut layers);
    if let Some(bootstrap) = &sources.bootstrap {
        let value = bootstrap::listeners(bootstrap, &layers);
        layers.push(Layer { name: bootstrap.source.clone(), value, rank: Rank::Below });
        let value = bootstrap::base(bootstrap, sources.quick.as_ref(), &layers, reader.report);
        layers.push(Layer { name: quick::SOURCE.to_owned(), value, rank: Rank::Below });
    }
    if let Some(quick) = &sources.quick {
        let value = quick::base(quick, &layers, reader.report);
        layers.push(Layer { name: quick::SOURCE.to_owned(), value, rank: Rank::Below });
        let value = quick::options(quick, &layers, reader.report);
        layers.push(Layer { name: quick::SOURCE.to_owned(), value, rank: Rank::Above });
    }
    left_out.report(sources.strict, report);
    layers
}

/// True if wildcard names can be proved: a resolver has a DNS challenge.
pub fn proves_wildcards(sources: &Sources) -> bool {
    let mut report = InputReport::default();
    let layers = layers(sources, &mut report);
    let whole = layers::merged(&layers, &mut report);
    let resolvers = whole.get("certificatesResolvers").and_then(Value::as_object);
    let has =
        |resolver: &Value, challenge: &str| resolver.get("acme").is_some_and(|acme| acme.get(challenge).is_some());
    let by_dns = ["dnsChallenge", "dnsPersistChallenge"];
    resolvers.into_iter().flat_map(Map::values).any(|resolver| by_dns.iter().any(|challenge| has(resolver, challenge)))
}

struct Reader<'a> {
    left_out: &'a mut LeftOut,
    report: &'a mut InputReport,
}

impl Reader<'_> {
    fn file(&mut self, file: &SourceFile, is_values: bool, layers: &mut Vec<Layer>) {
        let document = match document::read(&file.name, &file.text) {
            Ok(document) => document,
            Err(mistake) => {
                // A template is the likely reason why a text can't be read.
                self.report.is_partial = true;
                self.report.push(template::first(file).unwrap_or(*mistake));
                return;
            }
        };
        if document.is_null() {
            self.report.warn(format!("{}: the file is empty", file.name));
            return;
        }
        if is_values || helm::is_values(&document) {
            self.values(file, document, layers);
            return;
        }
        if let Some(mistake) = template::first(file) {
            self.report.is_partial = true;
            self.report.push(mistake);
            return;
        }
        self.add(&file.name, Form::File, &CONFIGURATION, document, Rank::Beside, layers);
    }

    fn flat(&mut self, name: &str, tree: Value, layers: &mut Vec<Layer>) {
        self.add(name, Form::Flat, &CONFIGURATION, tree, Rank::Above, layers);
    }

    fn add(&mut self, name: &str, form: Form, shape: &Shape, value: Value, rank: Rank, layers: &mut Vec<Layer>) {
        let value = canonical(name, form, shape, value, self.left_out, self.report);
        layers.push(Layer { name: name.to_owned(), value, rank });
    }

    fn values(&mut self, file: &SourceFile, document: Value, layers: &mut Vec<Layer>) {
        let value = canonical(&file.name, Form::File, &HELM, document, self.left_out, self.report);
        template::in_values(&file.name, &value, self.report);
        let values: Values = match serde_path_to_error::deserialize(&value) {
            Ok(values) => values,
            Err(error) => {
                let mistake = wrong(&error.path().to_string(), "a value", &acme::one_line(&error.inner().to_string()));
                self.report.push(Mistake { source: Some(file.name.clone()), position: None, mistake });
                return;
            }
        };
        let chart = helm::chart(&file.name, values, &value, self.report);
        layers.push(Layer { name: file.name.clone(), value: chart.configuration, rank: Rank::Beside });
        if let Some(document) = chart.dynamic {
            self.add(&file.name, Form::File, &CONFIGURATION, document, Rank::Beside, layers);
        }
        let environment = environment::tree(&chart.environment, self.report);
        self.add(&file.name, Form::Flat, &CONFIGURATION, environment, Rank::Above, layers);
        let flags = flags::tree(&chart.flags, self.report);
        self.add(&file.name, Form::Flat, &CONFIGURATION, flags, Rank::Above, layers);
    }
}
