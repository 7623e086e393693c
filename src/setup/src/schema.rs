//! The JSON Schema of the configuration, for editors.

use schemars::Schema;
use schemars::transform::{RecursiveTransform, Transform};

use crate::traefik::Configuration;

/// The schema as JSON text: Traefik's configuration, static and dynamic, as far as it is taken.
pub fn json_schema() -> String {
    let mut schema = schemars::schema_for!(Configuration);
    schema.insert("title".to_owned(), "Traefik's configuration, as envoy-autocert takes it".into());
    // Every key may be absent; that says nothing.
    RecursiveTransform(|schema: &mut Schema| drop(schema.remove("default"))).transform(&mut schema);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
