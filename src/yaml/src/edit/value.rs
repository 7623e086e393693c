//! The value that an edited text must have.

use std::cmp::Reverse;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::change::{Edit, Unfit};
use super::copy::source_of;
use super::path::{find, steps};
use crate::tree::{Kind, Node};

/// The value with all changes.
///
/// # Errors
/// If no node, or one of another kind, is at a path.
pub(super) fn edited(top: &Rc<Node>, edits: &[Edit]) -> Result<Value, Unfit> {
    let mut value = top.value().ok_or(Unfit::Unwritable)?;
    let source = Source::new(top, edits);
    // Paths are those of the original text, so a list is changed, or created, after the nodes below it.
    let mut deepest_first: Vec<&Edit> = edits.iter().collect();
    let is_first = |edit: &Edit| matches!(edit, Edit::Insert { first: true, .. });
    let is_insert = |edit: &Edit| matches!(edit, Edit::Insert { .. });
    deepest_first.sort_by_key(|edit| (Reverse(steps(edit.path()).len()), is_insert(edit), is_first(edit)));
    for edit in deepest_first {
        change(&mut value, edit, &source).ok_or_else(|| Unfit::Nowhere(edit.path().to_owned()))?;
    }
    Ok(value)
}

fn change(whole: &mut Value, edit: &Edit, source: &Source<'_>) -> Option<()> {
    let target = whole.pointer_mut(&pointer(edit.path()))?;
    match edit {
        Edit::Insert { first, items, .. } => {
            let items = items.iter().map(|item| source.filled(item)).collect::<Option<Vec<_>>>()?;
            match target {
                Value::Array(list) => {
                    let at = if *first { 0 } else { list.len() };
                    list.splice(at..at, items);
                }
                Value::Null => *target = Value::Array(items),
                Value::Object(_) => {
                    let single = target.take();
                    let (mut list, single) = if *first { (items, vec![single]) } else { (vec![single], items) };
                    list.extend(single);
                    *target = Value::Array(list);
                }
                _ => return None,
            }
        }
        Edit::Set { key, value, .. } => {
            if target.is_null() {
                *target = json!({});
            }
            target.as_object_mut()?.insert(key.clone(), source.filled(value)?);
        }
        Edit::Replace { old, key, value, .. } => {
            let table = target.as_object_mut()?;
            table.remove(old)?;
            table.insert(key.clone(), source.filled(value)?);
        }
        Edit::Remove { key, .. } => {
            target.as_object_mut()?.remove(key)?;
        }
    }
    Some(())
}

/// The text that copies are made from.
struct Source<'t> {
    top: &'t Rc<Node>,
    /// The messages that become lists, the deepest first: they do in copies, too.
    singles: Vec<&'t str>,
}

impl<'t> Source<'t> {
    fn new(top: &'t Rc<Node>, edits: &'t [Edit]) -> Self {
        let inserts = edits.iter().filter(|edit| matches!(edit, Edit::Insert { .. })).map(Edit::path);
        let is_single = |path: &&str| find(top, path).is_some_and(|node| matches!(node.kind, Kind::Table(_)));
        let mut singles: Vec<&str> = inserts.filter(is_single).collect();
        singles.sort_by_key(|path| (Reverse(steps(path).len()), *path));
        singles.dedup();
        Self { top, singles }
    }

    /// A value of ours, with placeholders replaced by the values they stand for.
    fn filled(&self, value: &Value) -> Option<Value> {
        Some(match value {
            Value::String(text) => match source_of(text) {
                Some(path) => self.copy(path)?,
                None => value.clone(),
            },
            Value::Array(items) => Value::Array(items.iter().map(|item| self.filled(item)).collect::<Option<_>>()?),
            Value::Object(members) => {
                let member = |(key, value): (&String, &Value)| Some((key.clone(), self.filled(value)?));
                Value::Object(members.iter().map(member).collect::<Option<Map<_, _>>>()?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    fn copy(&self, path: &str) -> Option<Value> {
        let mut copied = find(self.top, path)?.value()?;
        let below = self.singles.iter().filter_map(|single| single.strip_prefix(path));
        for single in below.filter(|rest| rest.starts_with(['.', '['])) {
            let target = copied.pointer_mut(&pointer(single))?;
            *target = Value::Array(vec![target.take()]);
        }
        Some(copied)
    }
}

/// Converts `a.b[0].c` to the JSON pointer `/a/b/0/c`.
fn pointer(path: &str) -> String {
    let steps = steps(path).into_iter().map(|step| match step {
        super::path::Step::Index(index) => format!("/{index}"),
        super::path::Step::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
    });
    steps.collect()
}
