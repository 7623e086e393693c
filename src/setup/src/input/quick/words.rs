//! Words mistakes and warnings in terms of the flags that the values come from.
//!
//! Promises: a mistake in a value that comes from a flag names the flag, whichever check finds it, and never the path
//! in Traefik's configuration that the flag stands for.

use std::borrow::Cow;

use serde_json::Value;

use super::upstream::UPSTREAM;
use super::{Quick, SERVICE, SOURCE, WEBSECURE};
use crate::input::layers::{Layer, source_of};

/// Maps paths to flags, while the sources are in memory.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    quick: Option<&'a Quick>,
    layers: &'a [Layer],
}

impl<'a> Words<'a> {
    pub(crate) fn new(quick: Option<&'a Quick>, layers: &'a [Layer]) -> Self {
        Self { quick, layers }
    }

    /// The flag that this value comes from.
    fn flag(&self, path: &str) -> Option<&'static str> {
        let quick = self.quick?;
        let is_of_flags = source_of(self.layers, path).as_deref() == Some(SOURCE);
        is_of_flags.then(|| flag(path, quick)).flatten()
    }

    /// The flag that a path comes from, or the path itself.
    pub(crate) fn path<'p>(&self, path: &'p str) -> &'p str {
        self.flag(path).unwrap_or(path)
    }

    /// Rewrites a mistake at a path to name the flag.
    pub(crate) fn mistake(&self, mistake: config::Mistake) -> config::Mistake {
        match self.flag(&mistake.path) {
            Some(flag) => reworded(flag, mistake),
            None => mistake,
        }
    }

    /// Rewrites a line that begins with a path to name the flag.
    pub(crate) fn line(&self, line: &str) -> String {
        match line.split_once(": ") {
            Some((path, rest)) => format!("{}: {rest}", self.path(path)),
            None => line.to_owned(),
        }
    }

    /// The same mapping for checks that run later, without the sources.
    pub(crate) fn kept(&self) -> Flags {
        let mut paths = Vec::new();
        for layer in self.layers.iter().filter(|layer| layer.name == SOURCE) {
            leaves(&layer.value, String::new(), &mut paths);
        }
        let of = |path: String| Some((self.flag(&path)?, path));
        Flags(paths.into_iter().filter_map(of).map(|(flag, path)| (path, flag)).collect())
    }
}

/// The values of a setup that come from flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags(Vec<(String, &'static str)>);

impl Flags {
    /// The flag that the value at this path comes from.
    pub fn of(&self, path: &str) -> Option<&'static str> {
        let is_in = |outer: &str, inner: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.0.iter().find(|(known, _)| is_in(known, path) || is_in(path, known)).map(|(_, flag)| *flag)
    }

    /// Rewrites a mistake that was found in the setup to name the flag, if its value comes from one.
    pub fn reworded(&self, mistake: config::Mistake) -> config::Mistake {
        match self.of(&mistake.path) {
            Some(flag) => reworded(flag, mistake),
            None => mistake,
        }
    }
}

/// Collects the paths of all leaf values.
fn leaves(value: &Value, path: String, all: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            leaves(value, if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, all);
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| leaves(value, format!("{path}[{index}]"), all));
        }
        _ => all.push(path),
    }
}

/// The flag that stands for this path.
fn flag(path: &str, quick: &Quick) -> Option<&'static str> {
    let (section, rest) = path.split_once('.')?;
    let port = |port: Option<u16>, flag| if port.is_some() { flag } else { "--domain" };
    let key = |separator: &str| rest.rsplit_once(separator).map_or("", |(_, key)| key);
    Some(match section {
        "certificatesResolvers" => match key(".acme.").split('.').next().unwrap_or_default() {
            "email" => "--email",
            "caServer" | "stagingServer" if quick.staging => "--staging",
            "caServer" => "--ca-server",
            "storage" => "--storage",
            "keyType" if quick.key_type.is_some() => "--key-type",
            "dnsChallenge" => "--dns",
            "httpChallenge" => port(quick.http_port, "--http-port"),
            _ => "--domain",
        },
        "entryPoints" if rest.split('.').next() == Some(WEBSECURE) => port(quick.https_port, "--https-port"),
        "entryPoints" => port(quick.http_port, "--http-port"),
        "http" if rest.strip_prefix("services.").is_some_and(|rest| rest.starts_with(SERVICE)) => "--upstream",
        "http" => "--domain",
        _ => return None,
    })
}

/// Traefik's words in the expectations of resolvers, and the flags to write in their place.
const IN_FLAGS: [(&str, &str); 3] = [
    ("a server's URL, as http://10.0.0.1:8080, https://… or h2c://…", UPSTREAM),
    ("a resolver with dnsChallenge", "--dns PROVIDER"),
    ("a resolver with httpChallenge or tlsChallenge", "HTTP-01, which is without --dns"),
];

fn reworded(flag: &str, mistake: config::Mistake) -> config::Mistake {
    let in_flags = |text: Cow<'static, str>, (traefiks, ours): &(&str, &str)| Cow::Owned(text.replace(traefiks, ours));
    let expected = IN_FLAGS.iter().fold(Cow::Owned(mistake.expected), in_flags).into_owned();
    config::Mistake { path: flag.to_owned(), expected, ..mistake }
}
