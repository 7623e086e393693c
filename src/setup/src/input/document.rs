//! Parses the text of a file into a tree of values: YAML, TOML or JSON.
//!
//! Depth and size are bounded, duplicate keys are refused, and no text can cause a panic. Errors name line and column,
//! and quote no line of the text: it may contain a secret.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::mistake::{Mistake, wrong};

/// Maximum size of a file, in bytes: 10,000 routers take 3 MB.
pub const MAX_FILE: usize = 32 * 1024 * 1024;

/// Maximum nesting: Traefik's own configuration goes to ten.
const MAX_DEPTH: usize = 64;

/// Maximum number of values in a YAML file, also after its aliases were expanded: as many as the largest file can have.
const MAX_VALUES: usize = 4_000_000;

/// Key of the table by which the toml crate represents a date.
const TOML_DATE: &str = "$__toml_private_datetime";

/// Reads a text by its file's extension; without a known one, by how its first line looks.
pub(crate) fn read(name: &str, text: &str) -> Result<Value, Box<Mistake>> {
    read_as(Form::of(name, text), name, text)
}

/// Reads YAML, whatever the file's name is.
pub(crate) fn read_yaml(name: &str, text: &str) -> Result<Value, Box<Mistake>> {
    read_as(Form::Yaml, name, text)
}

fn read_as(form: Form, name: &str, text: &str) -> Result<Value, Box<Mistake>> {
    if text.len() > MAX_FILE {
        let expected = format!("a file of at most {} MiB", MAX_FILE / 1024 / 1024);
        return Err(mistake(name, None, wrong("configuration", &format!("{} bytes", text.len()), &expected)));
    }
    let read = match form {
        Form::Json => json(text),
        Form::Toml => toml(text),
        Form::Yaml => yaml(text),
    };
    read.map_err(|(position, found)| {
        let expected = format!("{}, each key once", form.name());
        mistake(name, position, wrong("configuration", &acme::one_line(&found), &expected))
    })
}

fn mistake(name: &str, position: Option<(u64, u64)>, mistake: config::Mistake) -> Box<Mistake> {
    Box::new(Mistake { source: Some(name.to_owned()), position, mistake })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Toml,
    Yaml,
}

impl Form {
    fn of(name: &str, text: &str) -> Self {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        match ending.as_deref() {
            Some("json") => return Self::Json,
            Some("toml") => return Self::Toml,
            Some("yaml" | "yml") => return Self::Yaml,
            _ => {}
        }
        let mut lines = text.lines().map(str::trim);
        let first = lines.find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
        let is_assignment = || first.find('=').is_some_and(|equals| first.find(':').is_none_or(|colon| equals < colon));
        match first {
            _ if first.starts_with('{') => Self::Json,
            _ if first.starts_with('[') || is_assignment() => Self::Toml,
            _ => Self::Yaml,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Toml => "TOML",
            Self::Yaml => "YAML",
        }
    }
}

type Unreadable = (Option<(u64, u64)>, String);

fn yaml(text: &str) -> Result<Value, Unreadable> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_events: MAX_VALUES,
            max_nodes: MAX_VALUES,
            max_total_scalar_bytes: MAX_FILE,
            max_documents: 1,
        },
        // As in Traefik's YAML library: `0123`, `1_000` and `yes` are texts.
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        strict_booleans: true,
        with_snippet: false,
        emit_comments: false,
    };
    serde_saphyr::from_str_with_options::<Document>(text, options).map(|document| document.0).map_err(|error| {
        let position = error.location().map(|at| (at.line(), at.column()));
        (position, without_position(&error.without_snippet().to_string()))
    })
}

/// Removes the position that the parser writes into its messages, in front or at the end.
fn without_position(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or(message);
    // Advice for programmers is of no use to a user.
    let message = message.split(", set DuplicateKeyPolicy").next().unwrap_or(message);
    let message = message.strip_prefix("error: ").unwrap_or(message);
    match message.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((position, rest)) if position.bytes().all(|b| b.is_ascii_digit() || b" column,:".contains(&b)) => {
            rest.to_owned()
        }
        _ => message.to_owned(),
    }
}

fn toml(text: &str) -> Result<Value, Unreadable> {
    toml::from_str::<Document>(text).map(|document| document.0).map_err(|error| {
        (error.span().map(|span| position(text, span.start)), error.message().lines().collect::<Vec<_>>().join(", "))
    })
}

fn json(text: &str) -> Result<Value, Unreadable> {
    serde_json::from_str::<Document>(text).map(|document| document.0).map_err(|error| {
        let position = (error.line() as u64, error.column() as u64);
        (Some(position), without_position(&error.to_string()))
    })
}

/// Line and column of a byte, in characters, from 1.
pub(crate) fn position(text: &str, byte: usize) -> (u64, u64) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line as u64, column as u64)
}

/// A value of any of the formats, without duplicate keys.
struct Document(Value);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values).map(Self)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::String(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(Value::String(value.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        serde_json::Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_bytes<E: serde::de::Error>(self, value: &[u8]) -> Result<Value, E> {
        let text = std::str::from_utf8(value).map_err(|_| E::custom("bytes that are no text"))?;
        self.visit_str(text)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Document(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(Document(key)) = members.next_key()? {
            let key = match key {
                Value::String(key) => key,
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                _ => return Err(A::Error::custom("a key that is no text")),
            };
            let Document(value) = members.next_value()?;
            if key == TOML_DATE {
                return Ok(value);
            }
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {} twice", config::shortened(&key))));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
