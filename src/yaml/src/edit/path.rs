//! Paths in a text's tree.

use crate::tree::{Kind, Node};
use std::rc::Rc;

/// A segment of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step<'p> {
    Index(usize),
    Key(&'p str),
}

/// Splits `a.b[0].c` into segments. Keys on an edited path have neither dots nor brackets.
pub(super) fn steps(path: &str) -> Vec<Step<'_>> {
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
pub(super) fn find<'n>(top: &'n Rc<Node>, path: &str) -> Option<&'n Rc<Node>> {
    steps(path).iter().try_fold(top, |node, step| below(node, step))
}
