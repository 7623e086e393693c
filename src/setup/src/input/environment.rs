//! Traefik's environment variables: `TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_EMAIL=…`.
//!
//! As in Traefik, names become lower case and each `_` becomes a dot, so user-defined names have neither capitals nor
//! underscores there. Variables that begin with no section's name (`TRAEFIK_SERVICE_HOST`) are no configuration.

use config::shortened;
use serde_json::Value;

use super::flat::Tree;
use super::mistake::{InputReport, Mistake, wrong};
use super::shape::{CONFIGURATION, Shape};

/// Name of the source in mistakes about variables.
pub(crate) const SOURCE: &str = "environment";

const PREFIX: &str = "TRAEFIK_";

/// The tree of all variables. Their values are never shown: any may be a secret.
pub(crate) fn tree(variables: &[(String, String)], report: &mut InputReport) -> Value {
    let Shape::Table(root) = &*CONFIGURATION else { return Value::Null };
    let mut tree = Tree::default();
    // Sorted, so that the result does not depend on the order of the environment.
    let mut variables: Vec<&(String, String)> = variables.iter().collect();
    variables.sort();
    for (variable, value) in variables {
        let Some(name) = variable.to_ascii_uppercase().strip_prefix(PREFIX).map(str::to_ascii_lowercase) else {
            continue;
        };
        let name = name.replace('_', ".");
        if root.field(name.split(['.', '[']).next().unwrap_or_default()).is_none() {
            continue;
        }
        if let Err(clash) = tree.put(&name, value) {
            let mistake = wrong(&shortened(variable), clash.found, clash.expected);
            report.push(Mistake { source: Some(SOURCE.to_owned()), position: None, mistake });
        }
    }
    tree.into_value()
}
