//! The text with its layout, its changes, and the replacements made of them.

use super::change::Edit;
use super::site::{Site, Sites};
use crate::tree::{Kind, Node};
use crate::write::Style;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::rc::Rc;

/// A replacement of a part of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Splice {
    /// The offset of the first byte to remove.
    pub(super) from: usize,
    /// The offset after the last byte to remove.
    pub(super) to: usize,
    /// Depth of the edited node: of several splices at one offset, the deeper one comes first.
    pub(super) depth: usize,
    /// The new text; if it is in block style, whole lines.
    pub(super) text: String,
    /// True if the text begins a line.
    pub(super) is_line: bool,
}

/// All changes of one list or object.
pub(super) struct Change<'n> {
    pub(super) node: &'n Node,
    pub(super) site: Site,
    /// Items to insert before the first one.
    pub(super) first: Vec<Value>,
    /// Items to insert after the last one.
    pub(super) last: Vec<Value>,
    /// New members.
    pub(super) members: Map<String, Value>,
    /// Members to remove, with their replacements.
    pub(super) taken: Vec<(String, Option<(String, Value)>)>,
}

/// The text and its layout, for the writers of splices.
pub(super) struct Page<'t> {
    pub(super) text: &'t str,
    pub(super) top: &'t Rc<Node>,
    pub(super) sites: Sites,
    pub(super) style: &'t Style,
    /// Anchors in use, which must not be created again.
    pub(super) anchors: BTreeSet<String>,
}

impl Change<'_> {
    pub(super) fn add(&mut self, edit: &Edit) -> Option<()> {
        match (edit, &self.node.kind) {
            (Edit::Insert { first: true, items, .. }, Kind::List(_) | Kind::Nothing) => {
                self.first.splice(0..0, items.iter().cloned());
            }
            (Edit::Insert { first: false, items, .. }, Kind::List(_) | Kind::Nothing) => {
                self.last.extend(items.iter().cloned());
            }
            (Edit::Set { key, value, .. }, Kind::Table(_) | Kind::Nothing) => {
                self.members.insert(key.clone(), value.clone());
            }
            (Edit::Replace { old, key, value, .. }, Kind::Table(_)) => {
                self.taken.push((old.clone(), Some((key.clone(), value.clone()))));
            }
            (Edit::Remove { key, .. }, Kind::Table(_)) => self.taken.push((key.clone(), None)),
            _ => return None,
        }
        Some(())
    }
}
