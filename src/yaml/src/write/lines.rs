//! Values in block style: on lines of their own.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Map, Value};

use super::flow::{fits, flow};
use super::marks::Marks;
use super::scalar::{comment_line, is_block, scalar};
use super::shared::Shared;
use super::style::Style;

/// Maximum length of a line, except for a single text.
const WIDTH: usize = 120;

/// Maximum length of a mapping or list in flow style: longer ones are easier to read in block style.
const SHORT: usize = 100;

/// The text of a value, with a final line break. New anchors are added to those in use.
pub(super) fn text(value: &Value, style: &Style, marks: Marks, anchors: &mut BTreeSet<String>) -> String {
    let shared = Shared::all(value, style, marks);
    let mut writer = Writer { text: String::new(), shared, style, marks, anchors };
    match value {
        Value::Object(map) if !marks.is_bare(map) => writer.map(map, 0),
        Value::Array(list) if !list.is_empty() => writer.list(list, 0),
        scalar => {
            writer.text.push_str(&flow(scalar, style, marks));
            writer.text.push('\n');
        }
    }
    writer.text
}

struct Writer<'v> {
    text: String,
    shared: Vec<Shared<'v>>,
    style: &'v Style,
    marks: Marks,
    /// The anchors in use.
    anchors: &'v mut BTreeSet<String>,
}

#[expect(clippy::arithmetic_side_effects, reason = "a level of a value in memory has two columns")]
impl<'v> Writer<'v> {
    /// Writes the lines of a mapping; the first one begins at the end of the text.
    fn map(&mut self, map: &'v Map<String, Value>, indent: usize) {
        let mut entries: Vec<(&String, &Value)> =
            map.iter().filter(|(key, value)| !self.marks.is_comment(key, value)).collect();
        entries.sort_by_key(|(key, _)| self.style.rank(key));
        for (index, (key, value)) in entries.into_iter().enumerate() {
            if index > 0 {
                self.indent(indent);
            }
            self.above(value, indent);
            self.text.push_str(&scalar(key));
            self.text.push(':');
            self.entry(key, value, indent);
        }
    }

    /// Writes the value after a key.
    fn entry(&mut self, key: &str, value: &'v Value, indent: usize) {
        if let Some(key) = self.marks.same_key(value) {
            let _ = writeln!(self.text, " *{key}");
            return;
        }
        let shared = self.shared.iter_mut().find(|shared| shared.is(key, value));
        let is_shared = shared.is_some();
        if let Some(shared) = shared {
            if let Some(anchor) = &shared.anchor {
                let _ = writeln!(self.text, " *{anchor}");
                return;
            }
            let numbered = (2..).map(|number| format!("{key}_{number}"));
            let mut names = std::iter::once(key.to_owned()).chain(numbered);
            let anchor = names.find(|name| !self.anchors.contains(name)).unwrap_or_else(|| key.to_owned());
            self.anchors.insert(anchor.clone());
            let _ = write!(self.text, " &{anchor}");
            shared.anchor = Some(anchor);
        }
        match value {
            Value::Object(map) if self.is_long(value, indent) => {
                self.text.push('\n');
                self.indent(indent + 2);
                self.map(map, indent + 2);
            }
            Value::Array(list) if self.is_long(value, indent) => {
                let indent = if is_shared { indent + 2 } else { indent };
                self.text.push('\n');
                self.indent(indent);
                self.list(list, indent);
            }
            Value::String(text) if text.contains('\n') && is_block(text) => self.literal(text, indent + 2),
            short => {
                let _ = writeln!(self.text, " {}", flow(short, self.style, self.marks));
            }
        }
    }

    fn list(&mut self, list: &'v [Value], indent: usize) {
        for (index, item) in list.iter().enumerate() {
            if index > 0 {
                self.indent(indent);
            }
            self.above(item, indent);
            self.text.push_str("- ");
            match item {
                Value::Object(map) if self.is_long(item, indent) => self.map(map, indent + 2),
                Value::Array(list) if self.is_long(item, indent) => self.list(list, indent + 2),
                short => {
                    let _ = writeln!(self.text, "{}", flow(short, self.style, self.marks));
                }
            }
        }
    }

    /// Writes the comment of a mapping.
    fn above(&mut self, value: &Value, indent: usize) {
        let Some(text) = self.marks.comment(value) else { return };
        for line in text.split('\n') {
            let _ = writeln!(self.text, "{}", comment_line(line));
            self.indent(indent);
        }
    }

    /// Writes a text of several lines.
    fn literal(&mut self, text: &str, indent: usize) {
        self.text.push_str(" |\n");
        for line in text.lines() {
            self.indent(indent);
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    /// True if the value is to be in block style.
    fn is_long(&self, value: &Value, indent: usize) -> bool {
        match value {
            Value::Object(map) if self.marks.is_bare(map) => return false,
            Value::Array(list) if list.is_empty() => return false,
            _ => {}
        }
        !fits(value, SHORT.min(WIDTH.saturating_sub(indent + 24))) || self.has_comment_or_anchor(value)
    }

    fn has_comment_or_anchor(&self, value: &Value) -> bool {
        match value {
            Value::Object(map) => map.iter().any(|(key, value)| {
                self.marks.is_comment(key, value)
                    || self.marks.same_key(value).is_some()
                    || (self.style.is_shareable(key, value) && self.shared.iter().any(|shared| shared.is(key, value)))
                    || self.has_comment_or_anchor(value)
            }),
            Value::Array(list) => list.iter().any(|item| self.has_comment_or_anchor(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }

    fn indent(&mut self, indent: usize) {
        self.text.extend(std::iter::repeat_n(' ', indent));
    }
}
