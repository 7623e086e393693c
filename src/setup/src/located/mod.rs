//! YAML and JSON as a tree that knows where everything stands, so that a mistake has a line and an edit has a place.
//!
//! [`read`] gives one [`Node`] a document; [`At`] walks in it and knows its path. An alias has a node of its own, with the
//! place where it stands, and shares what is below with its anchor, so that no text can grow beyond its bounds. Protobuf's JSON form is what Envoy reads, so a field is found by both of
//! its names: `static_resources` and `staticResources`.

mod at;
mod read;
mod scalar;

use std::rc::Rc;

use serde_json::{Map, Value};

pub use at::At;
pub use read::{Broken, read};
pub(crate) use scalar::is_no_text;

/// A value and where it stands.
#[derive(Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub kind: Kind,
    /// The first byte in the text; of nothing, the place behind the colon.
    pub start: usize,
    /// The byte behind its last one; of a block collection, behind its last scalar.
    pub end: usize,
    /// The line that it begins on, from 1.
    pub line: usize,
    /// A scalar in block style (`|`, `>`), or a collection without brackets.
    pub block: bool,
    /// An anchor stands before it.
    pub is_anchored: bool,
    /// Of an alias, the node with the anchor.
    pub origin: Option<Rc<Node>>,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A list.
    List(Rc<Vec<Rc<Node>>>),
    /// Nothing: `null`, `~` or no text at all.
    Nothing,
    /// A text, a number, true or false.
    Scalar(Value),
    /// An object, in the order of the text.
    Table(Rc<Vec<Entry>>),
}

/// A member of an object.
#[derive(Debug, PartialEq)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// The key's first byte in the text.
    pub start: usize,
    /// The byte behind the key's last one.
    pub key_end: usize,
    /// The line that the key stands on, from 1.
    pub line: usize,
    /// Its value.
    pub value: Rc<Node>,
}

/// More values than this are not made of one text: aliases of aliases would grow without end.
const MAX_VALUES: usize = 4_000_000;

impl Node {
    /// The node that holds the text: of an alias, that of its anchor.
    pub fn shared(&self) -> &Self {
        self.origin.as_deref().unwrap_or(self)
    }

    /// The value without its places; `None` when its aliases stand for more than anybody means.
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
                    // Of a key that stands there twice, the first counts; `read` tells of the second.
                    table.entry(key.as_str()).or_insert(value.bounded(left)?);
                }
                Value::Object(table)
            }
        })
    }
}

#[cfg(test)]
mod tests;
