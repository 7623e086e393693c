//! The shape of a configuration, derived from the JSON Schema of its types.
//!
//! Traefik uses reflection for the same: keys in any case, texts that are numbers or lists.

use std::collections::HashMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde_json::Value;

use crate::traefik::helm::Values;
use crate::traefik::{Configuration, LEFT_OUT};

/// Traefik's configuration.
pub(crate) static CONFIGURATION: LazyLock<Shape> = LazyLock::new(Shape::of::<Configuration>);

/// The values of Traefik's Helm chart.
pub(crate) static HELM: LazyLock<Shape> = LazyLock::new(Shape::of::<Values>);

/// The kind of value at one path.
#[derive(Debug)]
pub(crate) enum Shape {
    /// `true` or `false`.
    Flag,
    /// An unsupported key of Traefik's. Some are kept, since their presence matters.
    LeftOut { is_kept: bool },
    /// A list whose items have this shape.
    List(Box<Self>),
    /// An object with user-defined keys.
    Names(Box<Self>),
    /// A duration: a number or a text.
    Period,
    /// An object with fixed keys.
    Table(Table),
    /// A text.
    Text,
    /// A whole number within bounds.
    Whole { least: i64, most: i64 },
}

/// An object with fixed keys.
#[derive(Debug)]
pub(crate) struct Table {
    /// Fields by their key in lower case.
    fields: HashMap<String, Field>,
    /// The supported keys, sorted.
    pub(crate) keys: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Field {
    /// The key as Traefik's documentation writes it.
    pub(crate) key: String,
    pub(crate) shape: Shape,
}

impl Table {
    /// The field of this key, written in any case.
    pub(crate) fn field(&self, key: &str) -> Option<&Field> {
        self.fields.get(&key.to_ascii_lowercase())
    }

    /// All keys, unsupported ones included.
    pub(crate) fn known(&self) -> impl Iterator<Item = &str> {
        self.fields.values().map(|field| field.key.as_str())
    }
}

impl Shape {
    fn of<T: JsonSchema>() -> Self {
        let schema = schemars::schema_for!(T).to_value();
        Self::read(&schema, &schema)
    }

    /// Reads a schema. Our types produce few forms of schema; any other reads as a text, and a test would fail.
    fn read(schema: &Value, root: &Value) -> Self {
        if let Some(mark) = schema.get(LEFT_OUT) {
            return Self::LeftOut { is_kept: mark.is_string() };
        }
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let target = name.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
            return target.map_or(Self::Text, |target| Self::read(target, root));
        }
        if let Some(Value::Array(choices)) = schema.get("anyOf") {
            let choices = choices.iter().filter(|choice| !is_null(choice)).map(|choice| Self::read(choice, root));
            let mut choices: Vec<Self> = choices.collect();
            return match choices.iter().position(|choice| matches!(choice, Self::Table(_))) {
                // The other choice is a word that stands for a table.
                Some(table) => choices.swap_remove(table),
                None if choices.len() == 1 => choices.swap_remove(0),
                None => Self::Period,
            };
        }
        if let Some(Value::Object(properties)) = schema.get("properties") {
            let field = |(key, schema): (&String, &Value)| {
                (key.to_ascii_lowercase(), Field { key: key.clone(), shape: Self::read(schema, root) })
            };
            let fields: HashMap<String, Field> = properties.iter().map(field).collect();
            let ours = fields.values().filter(|field| !matches!(field.shape, Self::LeftOut { .. }));
            let mut keys: Vec<String> = ours.map(|field| field.key.clone()).collect();
            keys.sort();
            return Self::Table(Table { fields, keys });
        }
        if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
            return Self::Names(Box::new(Self::read(values, root)));
        }
        if let Some(items) = schema.get("items") {
            return Self::List(Box::new(Self::read(items, root)));
        }
        match type_of(schema) {
            "boolean" => Self::Flag,
            "integer" => {
                let (least, most) = match schema.get("format").and_then(Value::as_str) {
                    Some("uint16") => (0, u16::MAX.into()),
                    Some("uint32") => (0, u32::MAX.into()),
                    Some("uint64") => (0, i64::MAX),
                    _ => (i64::MIN, i64::MAX),
                };
                Self::Whole { least, most }
            }
            _ => Self::Text,
        }
    }
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

/// The type that is not `null`.
fn type_of(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(name)) => name,
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or_default()
        }
        _ => "",
    }
}
