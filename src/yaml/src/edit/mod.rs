//! Edits a configuration in its text: everything else stays the same byte for byte.
//!
//! | file | its part |
//! |---|---|
//! | `change.rs` | the changes, and why a text can't be edited |
//! | `path.rs` | paths in a tree |
//! | `value.rs` | the value that the edited text must have |
//! | `layout.rs` | lines, columns and tokens of a text |
//! | `copy.rs` | copies a part of the text to another column |
//! | `aliases.rs` | expands an alias that is edited under one path only |
//! | `single.rs` | turns a message that stands for a list into a list |
//! | `site.rs` | the surroundings of each node |
//! | `page.rs`, `splice.rs`, `block.rs`, `flow.rs` | the edits as replacements of text, in block style or in flow style |
//!
//! The edited text is read again and compared with the intended value: an unforeseen layout is refused rather than
//! written wrongly.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "offsets and columns lie within a text in memory, and only a part of it is subtracted from the whole"
)]

mod aliases;
mod block;
mod change;
mod copy;
mod flow;
mod layout;
mod page;
mod path;
mod single;
mod site;
mod splice;
#[cfg(test)]
mod tests;
mod value;

use std::rc::Rc;

use serde_json::Value;

use crate::tree::{Kind, Node, read};
use crate::write::Style;

pub use change::{Edit, Unfit};
pub use copy::copy_of;
use path::find;

/// Maximum number of aliases to expand: nested aliases would grow without end.
const MAX_ALIASES: usize = 1000;

/// Makes all changes in a text; new parts are written in this style.
///
/// # Errors
/// If a path leads nowhere, or if no edited text has the intended value.
pub fn apply(text: &str, edits: &[Edit], style: &Style) -> Result<String, Unfit> {
    let top = tree(text).ok_or(Unfit::Unwritable)?;
    let meant = value::edited(&top, edits)?;
    let mut edits: Vec<Edit> = edits.iter().flat_map(|edit| below_key(&top, edit)).collect();
    let mut text = text.to_owned();
    for _ in 0..MAX_ALIASES {
        let top = tree(&text).ok_or(Unfit::Unwritable)?;
        let Some(next) = aliases::expanded(&text, &top, &edits)?.or_else(|| single::listed(&text, &top, &mut edits))
        else {
            let text = splice::spliced(&text, &top, &edits, style).ok_or(Unfit::Unwritable)?;
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
