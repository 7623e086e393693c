//! The edits as texts at places of the text.

use std::collections::BTreeSet;
use std::ptr;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::layout::line_break;
use super::site::{Site, Sites};
use super::{Edit, block, find, flow};
use crate::located::{Kind, Node};

/// A text in the place of a part of the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Splice {
    /// The first byte that goes.
    pub(super) from: usize,
    /// Behind the last one.
    pub(super) to: usize,
    /// Of what is put at the same place, the deeper belongs to what is before it.
    pub(super) depth: usize,
    /// What comes; lines are whole ones.
    pub(super) text: String,
    /// It begins a line.
    pub(super) is_line: bool,
}

/// All that becomes of one list or object.
pub(super) struct Change<'n> {
    pub(super) node: &'n Node,
    pub(super) site: Site,
    /// Items before the first one.
    pub(super) first: Vec<Value>,
    /// Items behind the last one.
    pub(super) last: Vec<Value>,
    /// New members.
    pub(super) members: Map<String, Value>,
    /// Members that go, with what comes in their place.
    pub(super) taken: Vec<(String, Option<(String, Value)>)>,
}

/// What the writers of texts have to know.
pub(super) struct Page<'t> {
    pub(super) text: &'t str,
    pub(super) top: &'t Rc<Node>,
    pub(super) sites: Sites,
    /// Anchors that are not to be made again.
    pub(super) anchors: BTreeSet<String>,
}

/// The text with all changes; none when one has no place.
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
        // The last line may have no end.
        if splice.is_line && !new.is_empty() && !new.ends_with('\n') {
            new.push_str(line_break(text));
        }
        new.push_str(&splice.text);
        from = splice.to;
    }
    new.push_str(text.get(from..)?);
    Some(new)
}

/// The edits by what they change; those that reach the same text by several paths are one.
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

/// Every word behind `&` or `*`: anchors, and more.
fn anchors(text: &str) -> BTreeSet<String> {
    let words = text.split(['&', '*']).skip(1);
    let word =
        |part: &str| part.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).next().map(str::to_owned);
    words.filter_map(word).filter(|word| !word.is_empty()).collect()
}
