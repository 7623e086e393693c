//! Inserts into an Envoy bootstrap of the user's own what it needs to get certificates by the plugin.
//!
//! [`infer`] finds the names that the bootstrap serves, [`add`] inserts what a [`Setup`] with these names needs.
//!
//! Promises: nothing existing is changed or replaced unless the user asks for it; earlier additions are not added
//! again; if nothing would be served afterwards, there is no result.
//!
//! | file | its part |
//! |---|---|
//! | `names.rs` | names of virtual hosts and filter chains |
//! | `tls.rs` | filter chains that terminate TLS, and the origin of their certificates |
//! | `plain.rs` | listeners without TLS, which receive challenges |
//! | `obstacles.rs` | reasons why nothing would be served |
//! | `additions.rs` | finds where each addition belongs |
//! | `resolvers.rs` | reports options that stay different from the requested ones |
//! | `responders.rs`, `routers.rs`, `secrets.rs`, `tls_alpn01.rs`, `limits.rs` | additions to existing parts |
//! | `https.rs` | a TLS listener for bootstraps without one |

mod additions;
mod https;
mod limits;
mod names;
mod notes;
mod obstacles;
mod plain;
mod resolvers;
mod responders;
mod routers;
mod secrets;
mod tls;
mod tls_alpn01;
mod wishes;

use notes::Notes;
use std::collections::HashSet;
use std::net::SocketAddr;
pub use wishes::{Replaced, Wishes};

use config::Mistake;
use yaml::edit::{Edit, Unfit, apply};

use crate::check::gather::Envoy;
use crate::check::plugin::Plugin;
use crate::check::{Document, DocumentKind, Report, for_version, kind, no_bootstrap, v2};
use crate::envoy::style::STYLE;
use crate::envoy::{Options, ca};
use crate::model::Setup;

/// Facts about the setup that were inferred from a bootstrap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inferred {
    /// The names of each certificate, the main one first.
    pub certificates: Vec<Vec<String>>,
    /// Explanations of this choice of names, one line each.
    pub notes: Vec<String>,
    /// The names of the listeners, with their addresses as Traefik writes them.
    pub entry_points: Vec<(String, String)>,
    /// The listener that receives HTTP-01 challenges; `None` if no listener speaks HTTP without TLS.
    pub challenged: Option<String>,
    /// Files of certificates to take names from, since their filter chains match no names.
    pub named_by: Vec<String>,
}

/// The configuration with all additions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The complete text.
    pub text: String,
    /// The additions and their positions, one line each.
    pub notes: Vec<String>,
    /// Parts that could not be added, with the reason, one line each.
    pub unplaced: Vec<String>,
    /// Addresses on which the plugin answers challenges.
    pub challenged: Vec<SocketAddr>,
    /// Addresses on which the sidecar's certificates are served.
    pub served: Vec<SocketAddr>,
    /// Replaced certificates, whose files can be imported.
    pub replaced: Vec<Replaced>,
}

/// Infers the names that a bootstrap serves over TLS and that need certificates; if its TLS listeners match no names,
/// those of its listeners without TLS.
///
/// # Errors
/// If the text is no bootstrap, or if nothing could be served, whatever is added.
pub fn infer(source: &str, text: &str, wishes: &Wishes) -> Result<Inferred, Vec<String>> {
    let documents = bootstrap(source, text)?;
    let mut report = Report::default();
    let envoy = Envoy::gather(&documents, &mut report);
    let plugins = Plugin::all(&envoy, &mut Report::default());
    let mut notes = Notes { with_wildcards: wishes.with_wildcards, ..Notes::default() };
    report.warnings.iter().for_each(|warning| notes.say(warning.to_string()));
    let chains = tls::tls_chains(&envoy, &plugins, wishes, &mut notes);
    let obstacles = obstacles::all(source, &envoy, &chains, wishes);
    if !obstacles.is_empty() {
        return Err(obstacles);
    }
    let ours = || chains.iter().filter(|chain| chain.is_for_us(wishes));
    let mut found: Vec<Vec<String>> = ours().flat_map(|chain| chain.names.clone()).collect();
    let nameless = ours().filter(|chain| chain.names.is_empty());
    let named_by = nameless.flat_map(|chain| chain.files()).map(|(chain, _)| chain).collect();
    if wishes.add_https.is_some() {
        for listener in https::sources(&envoy) {
            let plain = listener.chains.iter().filter(|chain| !chain.has_socket);
            found.extend(plain.flat_map(|chain| names::virtual_hosts(listener, chain, &mut notes)));
        }
    } else if found.is_empty() {
        let plain = envoy.chains().filter(|(_, chain)| !chain.has_socket);
        found = plain.flat_map(|(listener, chain)| names::virtual_hosts(listener, chain, &mut notes)).collect();
    }
    if found.is_empty() {
        // An earlier run may have added everything.
        let configured = plugins.first().and_then(|plugin| plugin.config.as_ref());
        found = configured.into_iter().flat_map(|c| &c.config.wants).map(|want| want.names.clone()).collect();
        if !found.is_empty() {
            notes.say("the names are those of the existing plugin".to_owned());
        }
    }
    let mut known = HashSet::new();
    let once = |names: Vec<String>| names.into_iter().filter(|name| known.insert(name.clone())).collect::<Vec<_>>();
    let certificates = found.into_iter().map(once).filter(|names| !names.is_empty()).collect();
    let challenged = plain::nearest_to_cas(&envoy).map(|listener| plain::entry_point(listener).0);
    let entry_points = plain::entry_points(&envoy, wishes);
    Ok(Inferred { certificates, notes: notes.lines, entry_points, challenged, named_by })
}

/// Selects the names that can be in a certificate, by the rules for a bootstrap's names; explains why others are left
/// out, or where the names are from.
pub fn certifiable(texts: &[String], from: &str, wishes: &Wishes) -> (Vec<String>, Vec<String>) {
    let mut notes = Notes { with_wildcards: wishes.with_wildcards, ..Notes::default() };
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let names = names::names(&texts, from, &mut notes);
    notes.chosen(&names, from);
    (names, notes.lines)
}

/// Adds what a setup needs. Of its routers only the certificates count; the routing is the user's.
///
/// # Errors
/// If the text is no bootstrap, if the combined configuration has mistakes, or if nothing would be served.
pub fn add(source: &str, text: &str, setup: &Setup, options: &Options, wishes: &Wishes) -> Result<Added, Vec<String>> {
    let documents = bootstrap(source, text)?;
    let [document] = documents.as_slice() else { return Err(vec![format!("{source}: expected one document")]) };
    let lines = |mistakes: Vec<Mistake>| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>();
    options.version.will_do(setup).map_err(lines)?;
    let cas = ca::all(&setup.resolvers).map_err(lines)?;
    let mut report = Report::default();
    let envoy = Envoy::gather(&documents, &mut report);
    let plugins = Plugin::all(&envoy, &mut report);
    let top = document.top();
    let chains = tls::tls_chains(&envoy, &plugins, wishes, &mut Notes::default());
    let obstacles = obstacles::all(source, &envoy, &chains, wishes);
    if !obstacles.is_empty() {
        return Err(obstacles);
    }
    let mut additions = additions::Additions::new(&envoy, &plugins, &top, &chains, wishes);
    additions.all(setup, &cas, options);
    if !additions.is_served {
        let why = "nothing is written, since nothing would be served";
        return Err(additions.unplaced.lines.into_iter().chain([format!("{source}: {why}")]).collect());
    }
    let challenged = additions.challenged().into_iter().filter_map(plain::address).collect();
    let additions::Additions { mut edits, mut notes, mut unplaced, served, replaced, .. } = additions;
    edits.iter_mut().flat_map(Edit::values_mut).for_each(|value| options.finish(value));
    let of_others = for_version(&documents, options.version);
    of_others.mistakes.iter().chain(&of_others.warnings).for_each(|finding| unplaced.say(finding.to_string()));
    let mut text = text.to_owned();
    if edits.is_empty() {
        notes.say("nothing is missing".to_owned());
    } else {
        text = apply(&text, &edits, &STYLE).map_err(|unfit| vec![format!("{source}: {}", why(&unfit))])?;
    }
    Ok(Added { text, notes: notes.lines, unplaced: unplaced.lines, challenged, served, replaced })
}

fn why(unfit: &Unfit) -> String {
    match unfit {
        Unfit::Nowhere(path) => {
            format!("{path}: found a value of another kind than Envoy takes there; `envoy-autocert check` says")
        }
        Unfit::Unwritable => {
            "found a text that is laid out in a way that nothing can be added to; please report this".to_owned()
        }
    }
}

fn bootstrap(source: &str, text: &str) -> Result<Vec<Document>, Vec<String>> {
    if let Some(finding) = no_bootstrap(source, text) {
        return Err(vec![finding.to_string()]);
    }
    let documents = Document::all(source, text).map_err(|broken| vec![format!("{source}: {broken}")])?;
    let old = v2(&documents);
    match documents.as_slice() {
        _ if !old.is_empty() => Err(old.iter().map(ToString::to_string).collect()),
        [only] if kind(&only.top()) == DocumentKind::Bootstrap => Ok(documents),
        _ => Err(vec![format!("{source}: found no bootstrap of Envoy's, expected one with static_resources")]),
    }
}

#[cfg(test)]
mod tests;
