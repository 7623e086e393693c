//! Edits in block style.

use serde_json::{Map, Value};

use super::copy::in_lines;
use super::layout::{
    above_comments, below_comments, column, indented, is_first_of_line, is_last_of_line, line_break, line_end,
    line_start, token,
};
use super::page::{Change, Page, Splice};
use crate::tree::{Entry, Kind};
use crate::write::write_beside;

/// True if an empty collection can be written in block style: it is the value of a key, and nothing follows it.
pub(super) fn can_be_lines(page: &Page<'_>, change: &Change<'_>) -> bool {
    let (node, site) = (change.node, change.site);
    let is_empty = match &node.kind {
        Kind::Nothing => true,
        Kind::List(items) => items.is_empty(),
        Kind::Table(entries) => entries.is_empty(),
        Kind::Scalar(_) => false,
    };
    let is_one_line = page.text.get(node.start..node.end).is_some_and(|text| !text.contains('\n'));
    let end = node.end.max(site.from);
    is_empty && is_one_line && site.is_in_lines && site.key.is_some() && is_last_of_line(page.text, end)
}

/// The splices of a change; `None` if it does not fit the layout.
pub(super) fn splices(page: &mut Page<'_>, change: &Change<'_>) -> Option<Vec<Splice>> {
    let list = || Value::Array(change.first.iter().chain(&change.last).cloned().collect());
    let whole = if change.members.is_empty() { list() } else { Value::Object(change.members.clone()) };
    match &change.node.kind {
        Kind::Table(entries) if !entries.is_empty() => table(page, change, entries),
        Kind::List(items) if !items.is_empty() => items_of(page, change),
        _ => filled(page, change, &whole),
    }
}

/// Lines below a key that has no value yet.
fn filled(page: &mut Page<'_>, change: &Change<'_>, whole: &Value) -> Option<Vec<Splice>> {
    let (key, key_end) = change.site.key?;
    let (start, end) = (change.node.start.max(key_end), change.node.end);
    let column = column(page.text, key) + 2;
    let line = line_end(page.text, end.max(change.site.from));
    let mut splices = vec![lines(page, line, column, whole)?];
    // `[]`, `{}`, `~` or `null`, and the spaces before it.
    if end > start && start >= change.site.from {
        let before = page.text.get(..start)?;
        splices.push(Splice {
            from: before.trim_end_matches(' ').len(),
            to: end,
            depth: column,
            text: String::new(),
            is_line: false,
        });
    }
    Some(splices)
}

fn items_of(page: &mut Page<'_>, change: &Change<'_>) -> Option<Vec<Splice>> {
    let dash = token(page.text, change.site.from);
    if !page.text.get(dash..)?.starts_with('-') {
        return None;
    }
    let column = column(page.text, dash);
    let mut splices = Vec::new();
    if !change.first.is_empty() {
        let items = Value::Array(change.first.clone());
        splices.push(if is_first_of_line(page.text, dash) {
            lines(page, above_comments(page.text, line_start(page.text, dash)), column, &items)?
        } else {
            // After another dash.
            let lines = lines(page, dash, column, &items)?;
            let text = format!("{}{}", lines.text.trim_start_matches(' '), " ".repeat(column));
            Splice { text, is_line: false, ..lines }
        });
    }
    if !change.last.is_empty() {
        let behind = below_comments(page.text, line_end(page.text, change.node.end), column);
        splices.push(lines(page, behind, column, &Value::Array(change.last.clone()))?);
    }
    Some(splices)
}

fn table(page: &mut Page<'_>, change: &Change<'_>, entries: &[Entry]) -> Option<Vec<Splice>> {
    let column = column(page.text, entries.first()?.start);
    let mut splices = Vec::new();
    for (old, new) in &change.taken {
        let entry = entries.iter().find(|entry| entry.key == *old)?;
        let to = line_end(page.text, entry.value.end.max(entry.key_end));
        let (from, text) = match new {
            Some((key, value)) => {
                let value = Value::Object(Map::from_iter([(key.clone(), value.clone())]));
                (entry.start, lines(page, to, column, &value)?.text.trim_start_matches(' ').to_owned())
            }
            None if is_first_of_line(page.text, entry.start) => (line_start(page.text, entry.start), String::new()),
            None => return None,
        };
        splices.push(Splice { from, to, depth: column, text, is_line: false });
    }
    if !change.members.is_empty() {
        let behind = below_comments(page.text, line_end(page.text, change.node.end), column);
        splices.push(lines(page, behind, column, &Value::Object(change.members.clone()))?);
    }
    Some(splices)
}

/// A value in block style.
fn lines(page: &mut Page<'_>, offset: usize, column: usize, value: &Value) -> Option<Splice> {
    let written = write_beside(value, page.style, &mut page.anchors);
    let written = indented(&written, column, line_break(page.text));
    let text = in_lines(&written, page.text, page.top, &page.sites)?;
    // A list's dashes may be in the key's own column.
    let depth = column * 2 + usize::from(value.is_array());
    Some(Splice { from: offset, to: offset, depth, text, is_line: true })
}
