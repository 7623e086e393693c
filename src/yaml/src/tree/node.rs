//! A value with its position in the text.

use serde_json::{Map, Value};
use std::rc::Rc;

/// A value with its position in the text.
#[derive(Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub kind: Kind,
    /// The first byte in the text; for an absent value, the byte after the colon.
    pub start: usize,
    /// The byte after the last one; for a block collection, the byte after its last scalar.
    pub end: usize,
    /// The first line, from 1.
    pub line: usize,
    /// A scalar in block style (`|`, `>`), or a collection without brackets.
    pub block: bool,
    /// True if the value has an anchor.
    pub is_anchored: bool,
    /// For an alias, the node with the anchor.
    pub origin: Option<Rc<Node>>,
}

/// The kind of a node, and its content.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A list.
    List(Rc<Vec<Rc<Node>>>),
    /// An absent value: `null`, `~` or no text at all.
    Nothing,
    /// A text, a number, true or false.
    Scalar(Value),
    /// An object, in the order of the text.
    Table(Rc<Vec<Entry>>),
}

/// A member of an object.
#[derive(Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The key's first byte in the text.
    pub start: usize,
    /// The byte after the key's last one.
    pub key_end: usize,
    /// The line that the key stands on, from 1.
    pub line: usize,
    /// The value.
    pub value: Rc<Node>,
}

/// Maximum number of values read from one text: nested aliases would grow without end.
const MAX_VALUES: usize = 4_000_000;

impl Node {
    /// The node that holds the content: for an alias, the node with the anchor.
    pub fn shared(&self) -> &Self {
        self.origin.as_deref().unwrap_or(self)
    }

    /// The value without positions; `None` if its aliases expand to too many values.
    pub fn value(&self) -> Option<Value> {
        self.bounded(&mut { MAX_VALUES })
    }

    fn bounded(&self, left: &mut usize) -> Option<Value> {
        *left = left.checked_sub(1)?;
        Some(match &self.kind {
            Kind::Nothing => Value::Null,
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => Value::Array(items.iter().map(|item| item.bounded(left)).collect::<Option<_>>()?),
            Kind::Table(entries) => {
                let mut table = Map::new();
                for Entry { key, value, .. } in entries.iter() {
                    // The first of several equal keys counts; `read` reports the second.
                    table.entry(key.as_str()).or_insert(value.bounded(left)?);
                }
                Value::Object(table)
            }
        })
    }
}
