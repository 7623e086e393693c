//! The mark of unsupported keys in the schema.

use schemars::{JsonSchema, Schema, json_schema};
use serde::Deserialize;
use serde_json::Value;

/// The mark of an unsupported key of Traefik's.
pub(crate) const LEFT_OUT: &str = "x-left-out";

/// An unsupported part of Traefik's configuration whose presence matters.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeftOut;

impl<'de> Deserialize<'de> for LeftOut {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl JsonSchema for LeftOut {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LeftOut".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> Schema {
        json_schema!({ LEFT_OUT: "kept" })
    }
}

/// Adds unsupported keys of Traefik's to the schema of an object.
pub(crate) fn left_out(keys: &'static [&'static str]) -> impl FnMut(&mut Schema) {
    move |schema| {
        let properties =
            schema.ensure_object().entry("properties").or_insert_with(|| Value::Object(Default::default()));
        if let Value::Object(properties) = properties {
            for key in keys {
                let help = "Traefik's; not supported, and ignored with a warning.";
                properties.insert((*key).to_owned(), serde_json::json!({ "description": help, LEFT_OUT: true }));
            }
        }
    }
}
