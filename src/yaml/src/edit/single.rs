//! Turns a message that stands for a list of one, as some readers of protobuf's JSON take it, into a list before items
//! are added.

use std::rc::Rc;

use super::change::Edit;
use super::copy;
use super::layout::{column, line_start};
use super::path::find;
use super::site::Sites;
use crate::tree::{Kind, Node};

/// The text with the next such message made a list, and the edits' paths adapted; `None` if there is none.
pub(super) fn listed(text: &str, top: &Rc<Node>, edits: &mut [Edit]) -> Option<String> {
    let is_single = |path: &&str| find(top, path).is_some_and(|node| matches!(node.kind, Kind::Table(_)));
    let lists = edits.iter().filter_map(|edit| match edit {
        Edit::Insert { list, .. } => Some(list.as_str()),
        _ => None,
    });
    let path = lists.into_iter().find(is_single)?.to_owned();
    let new = as_list(text, find(top, &path)?.shared(), &Sites::new(text, top))?;
    let moved = |other: &str| {
        let rest = other.strip_prefix(&path)?;
        (rest.is_empty() || rest.starts_with('.')).then(|| format!("{path}[0]{rest}"))
    };
    for edit in edits {
        let is_list = matches!(edit, Edit::Insert { list, .. } if *list == path);
        if let Some(new) = moved(edit.path()).filter(|_| !is_list) {
            *edit.path_mut() = new;
        }
        match edit {
            Edit::Insert { items, .. } => items.iter_mut().for_each(|item| copy::moved(item, &moved)),
            Edit::Set { value, .. } | Edit::Replace { value, .. } => copy::moved(value, &moved),
            Edit::Remove { .. } => {}
        }
    }
    Some(new)
}

fn as_list(text: &str, node: &Node, sites: &Sites) -> Option<String> {
    if !node.block {
        let (before, inner, behind) = (text.get(..node.start)?, text.get(node.start..node.end)?, text.get(node.end..)?);
        return Some(format!("{before}[{inner}]{behind}"));
    }
    let Kind::Table(entries) = &node.kind else { return None };
    let first = entries.first()?.start;
    let key = sites.of(node)?.key.map_or(0, |(start, _)| column(text, start));
    // The dash takes two columns of the indentation, if the value is indented at least two columns deeper than the key.
    let missing = (key + 2).saturating_sub(column(text, first));
    let start = line_start(text, first);
    let dash = column(text, first).saturating_sub(2 - missing.min(2));
    let mut new = text.get(..start)?.to_owned();
    new.extend(std::iter::repeat_n(' ', dash));
    new.push_str("- ");
    let (rest, behind) = (text.get(first..node.end)?, text.get(node.end..)?);
    for (number, line) in rest.split('\n').enumerate() {
        if number > 0 {
            new.push('\n');
            if !line.trim().is_empty() {
                new.extend(std::iter::repeat_n(' ', missing));
            }
        }
        new.push_str(line);
    }
    new.push_str(behind);
    Some(new)
}
