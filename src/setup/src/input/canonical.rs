//! Brings the values of one source into canonical form: keys as Traefik's documentation writes them, numbers and
//! booleans as such. Reports values that a configuration has no field for.

use std::borrow::Cow;

use config::{self, listed, nearest, shortened};
use serde_json::{Map, Value};

use super::left_out::LeftOut;
use super::mistake::{InputReport, Mistake, quoted, wrong};
use super::shape::{Shape, Table};

/// The kind of source, which decides how texts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A file: lists are lists.
    File,
    /// Flags or environment variables: every value is a text, lists are `a,b`.
    Flat,
}

/// The section that `config` reads; `config` also reports its mistakes.
const READ_ELSEWHERE: &str = "certificatesResolvers";

/// Reads the values of a source; returns an object.
pub(crate) fn canonical(
    source: &str,
    form: Form,
    shape: &Shape,
    value: Value,
    left_out: &mut LeftOut,
    report: &mut InputReport,
) -> Value {
    let mut walk = Walk { source, form, path: String::new(), is_elsewhere: false, left_out, report };
    if !matches!(value, Value::Object(_) | Value::Null) {
        walk.wrong(&kind(&value), "an object with keys as entryPoints and http");
        return Value::Object(Map::new());
    }
    walk.value(value, shape).unwrap_or_else(|| Value::Object(Map::new()))
}

struct Walk<'a> {
    source: &'a str,
    form: Form,
    path: String,
    /// True while mistakes are reported by `config` instead.
    is_elsewhere: bool,
    left_out: &'a mut LeftOut,
    report: &'a mut InputReport,
}

impl Walk<'_> {
    /// The value in canonical form; `None` if it counts as absent.
    fn value(&mut self, value: Value, shape: &Shape) -> Option<Value> {
        match (shape, value) {
            (Shape::Table(_), Value::Null) if !self.path.is_empty() => {
                let path = &self.path;
                self.report.warn(format!(
                    "{}: {path}: has no value, which counts as absent; {path}: {{}} \
                     would be an empty object",
                    shortened(self.source)
                ));
                None
            }
            (_, Value::Null) => None,
            (Shape::LeftOut { is_kept }, value) => {
                // As with any other object, `false` means absent.
                let is_off = matches!(&value, Value::Bool(false)) || self.form == Form::Flat && is(&value, "false");
                if !is_off {
                    self.left_out.add(self.source, &self.path);
                }
                (*is_kept && !is_off).then_some(Value::Bool(true))
            }
            (Shape::Table(table), Value::Object(members)) => Some(self.table(members, table)),
            (Shape::Table(_) | Shape::Names(_), Value::Bool(is_there)) => is_there.then(|| Value::Object(Map::new())),
            (Shape::Table(_) | Shape::Names(_), Value::String(text)) if go_flag(&text).is_some() => {
                (go_flag(&text) == Some(true)).then(|| Value::Object(Map::new()))
            }
            (Shape::Names(of), Value::Object(members)) => Some(self.names(members, of)),
            (Shape::List(of), Value::Array(items)) => Some(self.items(items, of)),
            (Shape::List(of), value) if self.form == Form::Flat => self.flat_list(value, of),
            (Shape::Text | Shape::Period, Value::String(text)) => Some(Value::String(text)),
            (Shape::Period, Value::Number(number)) => Some(Value::Number(number)),
            (Shape::Text, Value::Number(number)) if !number.is_f64() => Some(Value::String(number.to_string())),
            (Shape::Flag, Value::Bool(flag)) => Some(Value::Bool(flag)),
            (Shape::Flag, Value::String(text)) if go_flag(&text).is_some() => go_flag(&text).map(Value::Bool),
            (Shape::Whole { least, most }, value) if whole(&value).is_some_and(|n| (*least..=*most).contains(&n)) => {
                whole(&value).map(Value::from)
            }
            (_, value) if self.is_elsewhere => Some(value),
            (shape, value) => {
                self.wrong(&shown(&value), &expected(shape));
                None
            }
        }
    }

    fn table(&mut self, members: Map<String, Value>, table: &Table) -> Value {
        let mut canonical = Map::new();
        for (key, value) in members {
            let Some(field) = table.field(&key) else {
                self.unknown(key, value, table, &mut canonical);
                continue;
            };
            if canonical.contains_key(&field.key) {
                self.inside(&field.key, |walk| {
                    walk.wrong(&format!("this key in two spellings, one of them {}", shortened(&key)), "each key once");
                });
                continue;
            }
            let was_elsewhere = self.is_elsewhere;
            self.is_elsewhere |= field.key == READ_ELSEWHERE;
            let value = self.inside(&field.key, |walk| walk.value(value, &field.shape));
            self.is_elsewhere = was_elsewhere;
            if let Some(value) = value {
                canonical.insert(field.key.clone(), value);
            }
        }
        Value::Object(canonical)
    }

    fn unknown(&mut self, key: String, value: Value, table: &Table, canonical: &mut Map<String, Value>) {
        if self.is_elsewhere {
            canonical.insert(key, value);
            return;
        }
        let nearest = if self.report.is_full() { None } else { nearest(&key, table.known()) };
        let expected = match (key.as_str(), self.path.as_str()) {
            ("acme" | "entrypoints" | "frontends" | "backends" | "file" | "web", "") => {
                "a configuration of Traefik 2 or 3; this key is one of Traefik 1".to_owned()
            }
            _ => format!("one of the keys {}", listed(table.keys.iter().map(String::as_str))),
        };
        self.inside(&shortened(&key), |walk| {
            walk.push(config::Mistake { nearest, ..wrong(&walk.path, "an unknown key", &expected) });
        });
    }

    fn names(&mut self, members: Map<String, Value>, of: &Shape) -> Value {
        let mut canonical = Map::new();
        for (name, value) in members {
            if let Some(value) = self.inside(&shortened(&name), |walk| walk.value(value, of)) {
                canonical.insert(name, value);
            }
        }
        Value::Object(canonical)
    }

    fn items(&mut self, items: Vec<Value>, of: &Shape) -> Value {
        let mut canonical = Vec::with_capacity(items.len());
        let length = self.path.len();
        for (index, item) in items.into_iter().enumerate() {
            self.path.push_str(&format!("[{index}]"));
            if item.is_null() && !self.is_elsewhere {
                self.wrong("nothing", &expected(of));
            } else if item.is_null() {
                canonical.push(item);
            } else {
                canonical.extend(self.value(item, of));
            }
            self.path.truncate(length);
        }
        Value::Array(canonical)
    }

    /// A list from flags or variables: `a,b`, or one for each item.
    fn flat_list(&mut self, value: Value, of: &Shape) -> Option<Value> {
        match value {
            Value::String(text) if matches!(of, Shape::Table(_)) && go_flag(&text).is_none() => {
                self.wrong("a text", "its items one by one, as [0].main=…");
                None
            }
            Value::String(text) if text.trim().is_empty() => Some(Value::Array(Vec::new())),
            Value::String(text) => {
                let items = text.split(',').map(|item| Value::String(item.trim().to_owned())).collect();
                Some(self.items(items, of))
            }
            Value::Object(members) => {
                let index = |key: &str| key.trim_matches(['[', ']']).parse::<usize>().ok();
                let mut items: Vec<(usize, Value)> = Vec::new();
                for (key, value) in members {
                    match index(&key) {
                        Some(index) => items.push((index, value)),
                        None => {
                            self.inside(&shortened(&key), |walk| walk.wrong("a key", "the number of an item, as [0]"))
                        }
                    }
                }
                items.sort_by_key(|(index, _)| *index);
                Some(self.items(items.into_iter().map(|(_, value)| value).collect(), of))
            }
            value => {
                self.wrong(&shown(&value), "a list");
                None
            }
        }
    }

    fn inside<T>(&mut self, key: &str, then: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        let answer = then(self);
        self.path.truncate(length);
        answer
    }

    fn wrong(&mut self, found: &str, expected: &str) {
        let path = if self.path.is_empty() { "configuration" } else { &self.path };
        self.push(wrong(path, found, expected));
    }

    fn push(&mut self, mistake: config::Mistake) {
        self.report.push(Mistake { source: Some(self.source.to_owned()), position: None, mistake });
    }
}

fn expected(shape: &Shape) -> Cow<'static, str> {
    Cow::Borrowed(match shape {
        Shape::Flag => "true or false",
        Shape::LeftOut { .. } | Shape::Table(_) => "an object",
        Shape::List(_) => "a list",
        Shape::Names(_) => "an object whose keys are names",
        Shape::Period => "a time, as 90s, 1m30s or seconds",
        Shape::Text => "a text (numbers with a point and true or false in quotes)",
        Shape::Whole { least: i64::MIN, .. } => "a whole number",
        Shape::Whole { least, most } => return format!("a whole number from {least} to {most}").into(),
    })
}

/// A whole number, possibly written as a text.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A boolean as Go's strconv.ParseBool reads it.
pub(crate) fn go_flag(text: &str) -> Option<bool> {
    match text.trim() {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

fn is(value: &Value, text: &str) -> bool {
    value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(text))
}

/// A value as shown in a mistake: the beginning of a text, the kind of anything else.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.trim().is_empty() => "an empty text".to_owned(),
        Value::String(text) => quoted(text),
        Value::Number(number) => format!("the number {number}"),
        Value::Bool(flag) => flag.to_string(),
        value => kind(value),
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) => "true or false".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(_) => "a text".to_owned(),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}
