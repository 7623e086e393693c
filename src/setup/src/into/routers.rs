//! Adds routers for new names to each configuration of an existing plugin.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use yaml::Kind;
use yaml::edit::Edit;

use super::additions::Additions;
use crate::check::plugin::Configured;

impl Additions<'_, '_> {
    /// The certificates in the existing plugin's configuration.
    pub(super) fn wanted(&self) -> Vec<Vec<String>> {
        let configured = self.plugins.iter().filter_map(|plugin| plugin.config.as_ref());
        let mut wanted: Vec<Vec<String>> =
            configured.flat_map(|configured| configured.config.wants.iter().map(|want| want.names.clone())).collect();
        wanted.sort();
        wanted.dedup();
        wanted
    }

    /// Adds routers to the plugin's configuration; returns the names of the new certificates.
    pub(super) fn routers(&mut self, certificates: &[Vec<String>], configuration: &Value) -> Vec<Vec<String>> {
        let wanted = self.wanted();
        let known: HashSet<&str> = wanted.iter().flatten().map(String::as_str).collect();
        let mut new = Vec::new();
        for names in certificates {
            let names: Vec<String> = names.iter().filter(|name| !is_covered(name, &known)).cloned().collect();
            if !names.is_empty() {
                new.push(names);
            }
        }
        if new.is_empty() {
            return new;
        }
        let plugins = self.plugins;
        let configured: Vec<&Configured<'_>> = plugins.iter().filter_map(|plugin| plugin.config.as_ref()).collect();
        let with_resolvers = configured.iter().filter(|configured| !configured.config.resolvers.is_empty());
        for configured in with_resolvers {
            let path = &configured.at.path;
            let (Some(resolver), Kind::Table(_)) = (resolver(configured, configuration), &configured.at.node.kind)
            else {
                self.unplaced.say(format!(
                    "{}: not in the routers of the existing plugin ({path}); add a router",
                    new.iter().flatten().cloned().collect::<Vec<_>>().join(", ")
                ));
                continue;
            };
            self.add_routers(configured, &new, &resolver);
        }
        new
    }

    fn add_routers(&mut self, configured: &Configured<'_>, new: &[Vec<String>], resolver: &str) {
        let existing = configured.value.get("routers").and_then(Value::as_object);
        let mut routers = Map::new();
        for names in new {
            let Some(main) = names.first() else { continue };
            let is_free = |name: &String| {
                !existing.is_some_and(|existing| existing.contains_key(name)) && !routers.contains_key(name)
            };
            let numbered = (2..).map(|number| format!("{main}-{number}"));
            let Some(name) = std::iter::once(main.clone()).chain(numbered).find(is_free) else { continue };
            routers.insert(name, router(names, resolver));
            self.notes.say(format!(
                "a router for {}: the plugin's configuration, line {}",
                names.join(", "),
                configured.at.line
            ));
        }
        match configured.at.get("routers") {
            Some(at) => {
                let to_edit = |(key, value)| Edit::Set { table: at.path.clone(), key, value };
                self.edits.extend(routers.into_iter().map(to_edit));
            }
            None => {
                let (table, key) = (configured.at.path.clone(), "routers".to_owned());
                self.edits.push(Edit::Set { table, key, value: Value::Object(routers) });
            }
        }
    }
}

/// The plugin's resolver for new names: the one that the new configuration uses, or else its only one.
fn resolver(configured: &Configured<'_>, configuration: &Value) -> Option<String> {
    let resolvers = &configured.config.resolvers;
    let routers = configuration.get("routers").and_then(Value::as_object)?;
    let taken = routers.values().find_map(|router| router.pointer("/tls/certResolver")?.as_str());
    let found = resolvers.iter().find(|resolver| Some(resolver.name.as_str()) == taken);
    match (found, resolvers.as_slice()) {
        (Some(found), _) | (None, [found]) => Some(found.name.clone()),
        _ => None,
    }
}

fn router(names: &[String], resolver: &str) -> Value {
    let domain = match names.split_first() {
        Some((main, [])) => json!({ "main": main }),
        Some((main, sans)) => json!({ "main": main, "sans": sans }),
        None => json!({}),
    };
    json!({ "tls": { "certResolver": resolver, "domains": [domain] } })
}

/// True if a certificate for the known names also covers this name.
pub(super) fn is_covered(name: &str, known: &HashSet<&str>) -> bool {
    let wildcard = name.split_once('.').map(|(_, parent)| format!("*.{parent}"));
    known.contains(name) || wildcard.is_some_and(|wildcard| known.contains(wildcard.as_str()))
}
