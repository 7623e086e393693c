//! Helpers shared by the tests of inputs.

#![allow(
    dead_code,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "each test uses a part; a test fails by panicking"
)]

use setup::{Mistake, Reading, SourceFile, Sources};

/// A file of this directory.
pub fn file(path: &str) -> SourceFile {
    let text = std::fs::read_to_string(format!("{}/tests/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    SourceFile { name: path.to_owned(), text }
}

/// A file of flags, one per line.
pub fn flags(path: &str) -> Vec<String> {
    file(path).text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

pub fn yaml(text: &str) -> Sources {
    Sources { files: vec![SourceFile { name: "traefik.yml".into(), text: text.into() }], ..Sources::default() }
}

pub fn with_environment(variables: &[(&str, &str)]) -> Sources {
    let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { environment, ..Sources::default() }
}

#[track_caller]
pub fn read(sources: &Sources) -> Reading {
    setup::read(sources).unwrap_or_else(|mistakes| panic!("{}", lines(&mistakes).join("\n")))
}

pub fn lines(mistakes: &[Mistake]) -> Vec<String> {
    mistakes.iter().map(ToString::to_string).collect()
}
