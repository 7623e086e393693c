//! The edits as replacements of parts of the text.

use std::collections::BTreeSet;
use std::ptr;
use std::rc::Rc;

use serde_json::Map;

use super::change::Edit;
use super::layout::line_break;
use super::page::{Change, Page};
use super::path::find;
use super::site::Sites;
use super::{block, flow};
use crate::tree::Node;
use crate::write::Style;

/// The text with all changes; `None` if one does not fit the layout.
pub(super) fn spliced(text: &str, top: &Rc<Node>, edits: &[Edit], style: &Style) -> Option<String> {
    let mut page = Page { text, top, sites: Sites::new(text, top), style, anchors: anchors(text) };
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

/// Every word after `&` or `*`: the anchors, and some other words.
fn anchors(text: &str) -> BTreeSet<String> {
    let words = text.split(['&', '*']).skip(1);
    let word =
        |part: &str| part.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).next().map(str::to_owned);
    words.filter_map(word).filter(|word| !word.is_empty()).collect()
}
