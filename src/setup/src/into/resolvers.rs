//! Reports resolver options that differ between the existing plugin configuration and the request: they stay as they
//! are.

use serde_json::Value;

use super::additions::Additions;

/// The options that select the CA and the account; users can compare the rest in their files.
const COMPARED: [&str; 2] = ["caServer", "email"];

/// Stands for an absent mail address.
const NONE: &str = "none";

impl Additions<'_, '_> {
    /// Reports options that are not changed in the plugin's configuration.
    pub(super) fn resolvers(&mut self, configuration: &Value) {
        let requested = configuration.get("certificatesResolvers").and_then(Value::as_object);
        for configured in self.plugins.iter().filter_map(|plugin| plugin.config.as_ref()) {
            let Some(existing) = configured.value.get("certificatesResolvers") else { continue };
            for (name, requested) in requested.into_iter().flatten() {
                let option = |resolver: &Value, key: &str| resolver.pointer(&format!("/acme/{key}")).cloned();
                let Some(existing) = existing.get(name) else { continue };
                let is_other = |key: &&str| {
                    let (requested, existing) = (option(requested, key), option(existing, key));
                    requested != existing && requested.as_ref().and_then(Value::as_str) != Some(NONE)
                };
                let others: Vec<&str> = COMPARED.into_iter().filter(|key| is_other(key)).collect();
                if !others.is_empty() {
                    self.unplaced.say(format!(
                        "the existing plugin, line {}, has another {} for the resolver {}, which stays: change \
                         it there",
                        configured.at.line,
                        others.join(" and another "),
                        acme::one_line(name)
                    ));
                }
            }
        }
    }
}
