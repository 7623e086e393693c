//! What an Envoy bootstrap of a user's own is missing to get its certificates by the plugin, put into it.
//!
//! [`infer`] says which names it serves, [`add`] adds what a [`Setup`] with these needs.
//!
//! Promises: nothing that stands there is changed or replaced unless the user wishes it; what has been added before is not
//! added again; where nothing would be served afterwards, there is no result.
//!
//! | file | its part |
//! |---|---|
//! | `names.rs` | names of virtual hosts and filter chains |
//! | `tls.rs` | chains that end TLS, and whose certificates they have |
//! | `plain.rs` | listeners without TLS: where challenges come |
//! | `obstacles.rs` | what keeps all of it from being served |
//! | `place.rs` | where each addition belongs |
//! | `resolvers.rs` | what stays otherwise than it is wished |
//! | `responders.rs`, `routers.rs`, `secrets.rs`, `tls_alpn01.rs`, `limits.rs` | additions to what is there |
//! | `https.rs` | a listener with TLS, for who has none |
//! | `edit/` | the additions, in the text |

mod edit;
mod https;
mod limits;
mod names;
mod obstacles;
mod place;
mod plain;
mod resolvers;
mod responders;
mod routers;
mod secrets;
mod tls;
mod tls_alpn01;

use std::collections::HashSet;
use std::net::SocketAddr;

use config::Mistake;

use crate::check::gather::Envoy;
use crate::check::plugin::Plugin;
use crate::check::{Document, Kind, Report, for_version, kind, no_bootstrap, v2};
use crate::envoy::{Options, ca};
use crate::model::Setup;
use edit::Unfit;

/// What the user wishes beside additions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The sidecar's certificates come in the place of the user's own.
    pub replace_certificates: bool,
    /// A listener with TLS on this port, with the routes of those without.
    pub add_https: Option<u16>,
    /// The listeners without TLS redirect to the one that is added.
    pub redirect: bool,
    /// A resolver can prove wildcards.
    pub with_wildcards: bool,
}

/// What a bootstrap says of what is to be set up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inferred {
    /// The names of each certificate, the main one first.
    pub certificates: Vec<Vec<String>>,
    /// Why these and no others, one line each.
    pub notes: Vec<String>,
    /// The names of the listeners, with their addresses as Traefik writes them.
    pub entry_points: Vec<(String, String)>,
    /// The listener that HTTP-01 comes to; none where no listener speaks HTTP without TLS.
    pub challenged: Option<String>,
    /// Files with certificates whose names are wanted, since their chains name none.
    pub named_by: Vec<String>,
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
    pub challenged: Vec<SocketAddr>,
    /// The place where the sidecar's certificates are shown.
    pub served: Vec<SocketAddr>,
    /// Certificates that went, whose files can be imported.
    pub replaced: Vec<Replaced>,
}

/// A certificate of the user's own that went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The file of the chain.
    pub chain: String,
    /// The file of the key.
    pub key: String,
}

/// Lines for the user, each once.
#[derive(Default)]
struct Notes {
    lines: Vec<String>,
    /// Wildcards are names as others.
    with_wildcards: bool,
    /// Names of nobody on the Internet are names as others, addresses too.
    with_private: bool,
}

impl Notes {
    fn say(&mut self, line: String) {
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }

    fn chosen(&mut self, names: &[String], from: &str) {
        if !names.is_empty() {
            self.say(format!("{}: {from}", names.join(", ")));
        }
    }
}

/// The names that a bootstrap serves over TLS and that want certificates; where its TLS listeners name none, those of its
/// listeners without TLS.
///
/// # Errors
/// When the text is no bootstrap, or nothing could be served, whatever is added.
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
        // All of it may have been added before.
        let configured = plugins.first().and_then(|plugin| plugin.config.as_ref());
        found = configured.into_iter().flat_map(|c| &c.config.wants).map(|want| want.names.clone()).collect();
        if !found.is_empty() {
            notes.say("the names are those of the plugin that is there already".to_owned());
        }
    }
    let mut known = HashSet::new();
    let once = |names: Vec<String>| names.into_iter().filter(|name| known.insert(name.clone())).collect::<Vec<_>>();
    let certificates = found.into_iter().map(once).filter(|names| !names.is_empty()).collect();
    let challenged = plain::nearest_to_cas(&envoy).map(|listener| plain::entry_point(listener).0);
    let entry_points = plain::entry_points(&envoy, wishes);
    Ok(Inferred { certificates, notes: notes.lines, entry_points, challenged, named_by })
}

/// Those of these names that can stand in a certificate, as it is for the names of a bootstrap; and why the others can't, or
/// where these are from.
pub fn certifiable(texts: &[String], from: &str, wishes: &Wishes) -> (Vec<String>, Vec<String>) {
    let mut notes = Notes { with_wildcards: wishes.with_wildcards, ..Notes::default() };
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let names = names::names(&texts, from, &mut notes);
    notes.chosen(&names, from);
    (names, notes.lines)
}

/// Adds what a setup needs. Its routers count with their certificates only; where requests go is the user's.
///
/// # Errors
/// When the text is no bootstrap, when the setup has mistakes that show beside each other, or when nothing would be served.
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
    let mut place = place::Place::new(&envoy, &plugins, &top, &chains, wishes);
    place.all(setup, &cas, options);
    if !place.is_served {
        let why = "nothing is written, since nothing would be served";
        return Err(place.unplaced.lines.into_iter().chain([format!("{source}: {why}")]).collect());
    }
    let challenged = place.challenged().into_iter().filter_map(plain::address).collect();
    let place::Place { mut edits, mut notes, mut unplaced, served, replaced, .. } = place;
    edits.iter_mut().for_each(|edit| edit.finish(options));
    let of_others = for_version(&documents, options.version);
    of_others.mistakes.iter().chain(&of_others.warnings).for_each(|finding| unplaced.say(finding.to_string()));
    let mut text = text.to_owned();
    if edits.is_empty() {
        notes.say("nothing is missing".to_owned());
    } else {
        text = edit::apply(&text, &edits).map_err(|unfit| vec![format!("{source}: {}", why(&unfit))])?;
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
        [only] if kind(&only.top()) == Kind::Bootstrap => Ok(documents),
        _ => Err(vec![format!("{source}: found no bootstrap of Envoy's, expected one with static_resources")]),
    }
}

#[cfg(test)]
mod tests;
