//! Edits a configuration in its text: everything else stays the same byte for byte.
//!
//! | file | its part |
//! |---|---|
//! | `value.rs` | the value that the edited text must have |
//! | `layout.rs` | lines, columns and tokens of a text |
//! | `copy.rs` | copies a part of the text to another column |
//! | `aliases.rs` | expands an alias that is edited under one path only |
//! | `single.rs` | turns a message that stands for a list into a list |
//! | `site.rs` | the surroundings of each node |
//! | `splice.rs`, `block.rs`, `flow.rs` | the edits as replacements of text, in block style or in flow style |
//!
//! The edited text is read again and compared with the intended value: an unforeseen layout is refused rather than
//! written wrongly.

mod aliases;
mod block;
mod copy;
mod flow;
mod layout;
mod single;
mod site;
mod splice;
#[cfg(test)]
mod tests;
mod value;

use std::rc::Rc;

use serde_json::Value;

use crate::envoy::Options;
use crate::located::{Kind, Node, read};

pub(super) use copy::copy_of;

/// Maximum number of aliases to expand: nested aliases would grow without end.
const MAX_ALIASES: usize = 1000;

/// A change.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Edit {
    /// Inserts items at an end of the list at this path; a single message there becomes the list's first item.
    Insert {
        /// The list's path.
        list: String,
        /// True to insert before the first item rather than after the last one.
        first: bool,
        /// The items.
        items: Vec<Value>,
    },
    /// Sets a member that the object at this path does not have, or that has no value there.
    Set {
        /// The object's path; empty for the whole.
        table: String,
        /// The member's key.
        key: String,
        /// The value.
        value: Value,
    },
    /// Replaces a member.
    Replace {
        /// The object's path.
        table: String,
        /// The key of the old member.
        old: String,
        /// The key of the new member.
        key: String,
        /// The value.
        value: Value,
    },
    /// Removes a member.
    Remove {
        /// The object's path.
        table: String,
        /// The member's key.
        key: String,
    },
}

impl Edit {
    /// Applies [`Options::finish`] to the edit's values.
    pub(super) fn finish(&mut self, options: &Options) {
        match self {
            Self::Insert { items, .. } => items.iter_mut().for_each(|item| options.finish(item)),
            Self::Set { value, .. } | Self::Replace { value, .. } => options.finish(value),
            Self::Remove { .. } => {}
        }
    }

    /// The path of the list or the object that is changed.
    fn path(&self) -> &str {
        match self {
            Self::Insert { list, .. } => list,
            Self::Set { table, .. } | Self::Replace { table, .. } | Self::Remove { table, .. } => table,
        }
    }

    fn path_mut(&mut self) -> &mut String {
        match self {
            Self::Insert { list, .. } => list,
            Self::Set { table, .. } | Self::Replace { table, .. } | Self::Remove { table, .. } => table,
        }
    }

    /// The key of the member that is removed from the object, if any.
    fn taken(&self) -> Option<&str> {
        match self {
            Self::Replace { old, .. } => Some(old),
            Self::Remove { key, .. } => Some(key),
            Self::Insert { .. } | Self::Set { .. } => None,
        }
    }

    /// True if both are the same change, made at other paths.
    fn is_like(&self, other: &Self) -> bool {
        let mut moved = other.clone();
        self.path().clone_into(moved.path_mut());
        *self == moved
    }
}

/// The reason why a text could not be edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// No node, or one of another kind, is at this path.
    Nowhere(String),
    /// The text's layout has no room for any form of the changes.
    Unwritable,
}

/// Makes all changes in a text.
///
/// # Errors
/// If a path leads nowhere, or if no edited text has the intended value.
pub(super) fn apply(text: &str, edits: &[Edit]) -> Result<String, Unfit> {
    let top = tree(text).ok_or(Unfit::Unwritable)?;
    let meant = value::edited(&top, edits)?;
    let mut edits: Vec<Edit> = edits.iter().flat_map(|edit| below_key(&top, edit)).collect();
    let mut text = text.to_owned();
    for _ in 0..MAX_ALIASES {
        let top = tree(&text).ok_or(Unfit::Unwritable)?;
        let Some(next) = aliases::expanded(&text, &top, &edits)?.or_else(|| single::listed(&text, &top, &mut edits))
        else {
            let text = splice::spliced(&text, &top, &edits).ok_or(Unfit::Unwritable)?;
            let is_meant = tree(&text).and_then(|tree| tree.value()) == Some(meant);
            return if is_meant { Ok(text) } else { Err(Unfit::Unwritable) };
        };
        text = next;
    }
    Err(Unfit::Unwritable)
}

/// Moves members for a key without a value below that key.
fn below_key(top: &Rc<Node>, edit: &Edit) -> Vec<Edit> {
    let Edit::Set { table, key, value } = edit else { return vec![edit.clone()] };
    let path = if table.is_empty() { key.clone() } else { format!("{table}.{key}") };
    if find(top, &path).is_none_or(|node| node.kind != Kind::Nothing) {
        return vec![edit.clone()];
    }
    match value {
        Value::Array(items) if !items.is_empty() => {
            vec![Edit::Insert { list: path, first: false, items: items.clone() }]
        }
        Value::Object(members) if !members.is_empty() => {
            let set = |(key, value): (&String, &Value)| Edit::Set {
                table: path.clone(),
                key: key.clone(),
                value: value.clone(),
            };
            members.iter().map(set).collect()
        }
        _ => vec![Edit::Replace { table: table.clone(), old: key.clone(), key: key.clone(), value: value.clone() }],
    }
}

/// The only document of a text.
fn tree(text: &str) -> Option<Rc<Node>> {
    let mut documents = read(text).ok()?;
    documents.pop().filter(|_| documents.is_empty())
}

/// A segment of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step<'p> {
    Index(usize),
    Key(&'p str),
}

/// Splits `a.b[0].c` into segments. Keys on an edited path have neither dots nor brackets.
fn steps(path: &str) -> Vec<Step<'_>> {
    let parts = path.split(['.', '[']).filter(|part| !part.is_empty());
    parts
        .map(|part| match part.strip_suffix(']').and_then(|index| index.parse().ok()) {
            Some(index) => Step::Index(index),
            None => Step::Key(part),
        })
        .collect()
}

/// The child of a node by one segment.
fn below<'n>(node: &'n Node, step: &Step<'_>) -> Option<&'n Rc<Node>> {
    match (&node.kind, step) {
        (Kind::List(items), Step::Index(index)) => items.get(*index),
        (Kind::Table(entries), Step::Key(key)) => {
            entries.iter().find(|entry| entry.key == *key).map(|entry| &entry.value)
        }
        _ => None,
    }
}

/// The node at a path.
fn find<'n>(top: &'n Rc<Node>, path: &str) -> Option<&'n Rc<Node>> {
    steps(path).iter().try_fold(top, |node, step| below(node, step))
}
