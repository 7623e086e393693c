//! What an Envoy bootstrap of a user's own is missing to get its certificates by the plugin, put into it.
//!
//! [`infer`] says which names it serves, [`add`] adds what a [`Setup`] with these needs: the plugin on the plaintext
//! listener, SDS and the chain for TLS-ALPN-01 on the TLS ones, clusters, the engine. Nothing that stands there is changed or replaced; what has been
//! added before is not added again; what has no place is said.

mod edit;
mod infer;
mod limits;
mod place;
mod tls_alpn01;

use std::collections::HashSet;
use std::net::SocketAddr;

use resolver::config::Mistake;

use crate::check::gather::Envoy;
use crate::check::plugin::Plugin;
use crate::check::{Document, Kind, Report, for_version, kind};
use crate::envoy::{Options, ca};
use crate::model::Setup;
use edit::Unfit;

/// The names that a configuration serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inferred {
    /// The names of each certificate, the main one first.
    pub certificates: Vec<Vec<String>>,
    /// Why these and no others, one line each.
    pub notes: Vec<String>,
}

/// The configuration with what it was missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The whole text.
    pub text: String,
    /// What was added and where, one line each.
    pub notes: Vec<String>,
    /// What has no place and why, one line each.
    pub unplaced: Vec<String>,
    /// Where the plugin answers challenges.
    pub challenged: Option<SocketAddr>,
}

/// Lines for the user, each once.
#[derive(Default)]
struct Notes(Vec<String>);

impl Notes {
    fn say(&mut self, line: String) {
        if !self.0.contains(&line) {
            self.0.push(line);
        }
    }

    fn chosen(&mut self, names: &[String], from: &str) {
        if !names.is_empty() {
            self.say(format!("{}: {from}", names.join(", ")));
        }
    }
}

/// The names that a bootstrap serves over TLS and has no certificates for; where its TLS listeners name none, those of
/// its plaintext listeners.
///
/// # Errors
/// When the text is no bootstrap.
pub fn infer(source: &str, text: &str) -> Result<Inferred, String> {
    let documents = bootstrap(source, text)?;
    let mut report = Report::default();
    let envoy = Envoy::gather(&documents, &mut report);
    let mut notes = Notes(report.warnings.iter().map(ToString::to_string).collect());
    let chains = infer::tls_chains(&envoy, &mut notes);
    let mut found: Vec<Vec<String>> = chains.iter().flat_map(|chain| chain.certificates.clone()).collect();
    if found.is_empty() && chains.iter().any(|chain| chain.own.is_none()) {
        let plain = envoy.chains().filter(|(_, chain)| !chain.has_socket);
        found = plain.flat_map(|(listener, chain)| infer::virtual_hosts(listener, chain, &mut notes)).collect();
    }
    if found.is_empty() {
        // All of it may have been added before.
        let plugins = Plugin::all(&envoy, &mut Report::default());
        let configured = plugins.first().and_then(|plugin| plugin.config.as_ref());
        found = configured.into_iter().flat_map(|c| &c.config.wants).map(|want| want.names.clone()).collect();
        if !found.is_empty() {
            notes.say("the names are those of the plugin that is there already".to_owned());
        }
    }
    let mut known = HashSet::new();
    let once = |names: Vec<String>| names.into_iter().filter(|name| known.insert(name.clone())).collect::<Vec<_>>();
    let certificates = found.into_iter().map(once).filter(|names| !names.is_empty()).collect();
    Ok(Inferred { certificates, notes: notes.0 })
}

/// Adds what a setup needs. Its routers count with their certificates only; where requests go is the user's.
///
/// # Errors
/// When the text is no bootstrap, or the setup has mistakes that show beside each other.
pub fn add(source: &str, text: &str, setup: &Setup, options: &Options) -> Result<Added, Vec<String>> {
    let documents = bootstrap(source, text).map_err(|why| vec![why])?;
    let [document] = documents.as_slice() else { return Err(vec![format!("{source}: expected one document")]) };
    let lines = |mistakes: Vec<Mistake>| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>();
    options.version.will_do(setup).map_err(lines)?;
    let cas = ca::all(&setup.resolvers).map_err(lines)?;
    let mut report = Report::default();
    let envoy = Envoy::gather(&documents, &mut report);
    let plugins = Plugin::all(&envoy, &mut report);
    let top = document.top();
    let mut place = place::Place::new(&envoy, &plugins, &top);
    place.all(setup, &cas, options);
    let challenged = place.challenged().and_then(place::address);
    let place::Place { mut edits, mut notes, mut unplaced, .. } = place;
    edits.iter_mut().for_each(|edit| edit.finish(options));
    let of_others = for_version(&documents, options.version);
    of_others.mistakes.iter().chain(&of_others.warnings).for_each(|finding| unplaced.say(finding.to_string()));
    if edits.is_empty() {
        notes.say("nothing is missing".to_owned());
        return Ok(Added { text: text.to_owned(), notes: notes.0, unplaced: unplaced.0, challenged });
    }
    let text = edit::apply(text, &edits).map_err(|unfit| {
        let why = match unfit {
            Unfit::Nowhere(path) => {
                format!("{path}: found a value of another kind than Envoy takes there; `envoy-autocert check` says")
            }
            Unfit::Unwritable => {
                "found a text that is laid out in a way that nothing can be added to; please report this".to_owned()
            }
        };
        vec![format!("{source}: {why}")]
    })?;
    Ok(Added { text, notes: notes.0, unplaced: unplaced.0, challenged })
}

fn bootstrap(source: &str, text: &str) -> Result<Vec<Document>, String> {
    let documents = Document::all(source, text).map_err(|broken| format!("{source}: {broken}"))?;
    match documents.as_slice() {
        [only] if kind(&only.top()) == Kind::Bootstrap => Ok(documents),
        _ => Err(format!("{source}: found no bootstrap of Envoy's, expected one with static_resources")),
    }
}

#[cfg(test)]
mod tests;
