//! The edits as replacements of parts of the text.

use std::collections::BTreeSet;
use std::ptr;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::layout::line_break;
use super::site::{Site, Sites};
use super::{Edit, block, find, flow};
use crate::located::{Kind, Node};

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
    /// Anchors in use, which must not be created again.
    pub(super) anchors: BTreeSet<String>,
}

/// The text with all changes; `None` if one does not fit the layout.
pub(super) fn spliced(text: &str, top: &Rc<Node>, edits: &[Edit]) -> Option<String> {
    let mut page = Page { text, top, sites: Sites::new(text, top), anchors: anchors(text) };
    let mut splices = Vec::new();
    for change in changes(&page, edits)? {
        let is_in_lines = change.node.block || block::can_be_lines(&page, &change);
        splices.extend(if is_in_lines { block::splices(&mut page, &change) } else { flow::splices(&page, &change) }?);
    }
    splices.sort_by_key(|splice| (splice.from, usize::MAX - splice.depth));
    let (mut new, mut from) = (String::new(), 0);
    for splice in splices {
        new.push_str(text.get(from..splice.from)?);
        // The last line may have no line break.
        if splice.is_line && !new.is_empty() && !new.ends_with('\n') {
            new.push_str(line_break(text));
        }
        new.push_str(&splice.text);
        from = splice.to;
    }
    new.push_str(text.get(from..)?);
    Some(new)
}

/// Groups the edits by the node that they change; edits that reach the same text by several paths become one.
fn changes<'n>(page: &Page<'n>, edits: &[Edit]) -> Option<Vec<Change<'n>>> {
    let mut changes: Vec<Change<'n>> = Vec::new();
    let mut done: Vec<(*const Node, &Edit)> = Vec::new();
    for edit in edits {
        let node = find(page.top, edit.path())?.shared();
        let is_done = |(other, known): &(*const Node, &Edit)| {
            ptr::eq(*other, node) && known.path() != edit.path() && edit.is_like(known)
        };
        if done.iter().any(is_done) {
            continue;
        }
        done.push((node, edit));
        let index = match changes.iter().position(|change| ptr::eq(change.node, node)) {
            Some(index) => index,
            None => {
                let (first, last, taken) = (Vec::new(), Vec::new(), Vec::new());
                changes.push(Change { node, site: page.sites.of(node)?, first, last, members: Map::new(), taken });
                changes.len() - 1
            }
        };
        changes.get_mut(index)?.add(edit)?;
    }
    Some(changes)
}

impl Change<'_> {
    fn add(&mut self, edit: &Edit) -> Option<()> {
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

/// Every word after `&` or `*`: the anchors, and some other words.
fn anchors(text: &str) -> BTreeSet<String> {
    let words = text.split(['&', '*']).skip(1);
    let word =
        |part: &str| part.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).next().map(str::to_owned);
    words.filter_map(word).filter(|word| !word.is_empty()).collect()
}
