//! Copies a part of the text elsewhere: as written, with its comments, without its anchors.

use std::rc::Rc;

use serde_json::{Value, json};

use super::layout::{column, is_first_of_line, line_break, line_start, token};
use super::path::find;
use super::site::Sites;
use crate::tree::{Kind, Node};

/// Marks a value of ours as a copy; the path of the source follows. A text that begins so is written in quotes.
const COPY: &str = "(yaml::edit::copy_of): ";

/// Placeholder for a copy of the node at this path of the text.
pub fn copy_of(path: &str) -> Value {
    json!(format!("{COPY}{path}"))
}

/// The path in a placeholder.
pub(super) fn source_of(text: &str) -> Option<&str> {
    text.strip_prefix(COPY)
}

/// Rewrites the paths of all placeholders by this function.
pub(super) fn moved(value: &mut Value, change: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(path) = source_of(text).and_then(change) {
                *value = copy_of(&path);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| moved(item, change)),
        Value::Object(members) => members.values_mut().for_each(|member| moved(member, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Replaces the placeholders in lines that were written.
pub(super) fn in_lines(written: &str, text: &str, top: &Rc<Node>, sites: &Sites) -> Option<String> {
    let mut whole = String::new();
    for line in written.split_inclusive('\n') {
        let Some((before, mark)) = line.split_once(COPY) else {
            whole.push_str(line);
            continue;
        };
        if before.contains(['{', '[']) {
            whole.push_str(&in_brackets(line, text, top)?);
            continue;
        }
        let (before, node) = (before.trim_end_matches('"'), find(top, mark.trim().trim_end_matches('"'))?.shared());
        whole.push_str(before.trim_end());
        if is_in_lines(node) {
            whole.push_str(line_break(text));
            let indent = before.len() - before.trim_start_matches([' ', '-']).len();
            whole.push_str(&lines(text, node, sites, indent + 2)?);
        } else {
            whole.push(' ');
            whole.push_str(&between_brackets(text, node)?);
        }
        whole.push_str(line_break(text));
    }
    Some(whole)
}

/// Replaces the placeholders in a text in flow style.
pub(super) fn in_brackets(written: &str, text: &str, top: &Rc<Node>) -> Option<String> {
    let mark = format!("\"{COPY}");
    let mut parts = written.split(&mark);
    let mut whole = parts.next()?.to_owned();
    for part in parts {
        let (path, behind) = part.split_once('"')?;
        whole.push_str(&between_brackets(text, find(top, path)?.shared())?);
        whole.push_str(behind);
    }
    Some(whole)
}

/// True if a value is in block style.
pub(super) fn is_in_lines(node: &Node) -> bool {
    node.block && matches!(node.kind, Kind::List(_) | Kind::Table(_))
}

/// The lines of a list or an object, moved to a column; without the last line break.
pub(super) fn lines(text: &str, node: &Node, sites: &Sites, to: usize) -> Option<String> {
    let start = match &node.kind {
        Kind::Table(entries) => entries.first()?.start,
        Kind::List(_) => token(text, sites.of(node)?.from),
        Kind::Nothing | Kind::Scalar(_) => return None,
    };
    let from = column(text, start);
    let plain = without_anchors(text, node, start);
    let mut moved = String::new();
    for (number, line) in plain.split('\n').enumerate() {
        let line = line.trim_end_matches('\r');
        let indent = line.len() - line.trim_start_matches(' ').len();
        let line = line.get(if number == 0 { 0 } else { indent.min(from) }..).unwrap_or_default();
        if number > 0 {
            moved.push_str(line_break(text));
        }
        if !line.is_empty() {
            moved.extend(std::iter::repeat_n(' ', to));
        }
        moved.push_str(line);
    }
    Some(moved)
}

/// The text of a node from `start` on, without its anchors, which must stay unique.
fn without_anchors(text: &str, node: &Node, start: usize) -> String {
    let mut anchors = Vec::new();
    anchors_below(text, node, &mut anchors);
    anchors.sort_unstable();
    let (mut plain, mut from) = (String::new(), start);
    for (anchor, end) in anchors.into_iter().filter(|(anchor, _)| *anchor >= start) {
        plain.push_str(text.get(from..anchor).unwrap_or_default());
        from = end;
    }
    // A block scalar ends at the start of the next line, or after its indentation.
    let end = if is_first_of_line(text, node.end) { line_start(text, node.end).saturating_sub(1) } else { node.end };
    plain.push_str(text.get(from..end.max(from)).unwrap_or_default());
    plain
}

/// Collects the positions of the anchors below a node, with the white space after them.
fn anchors_below(text: &str, node: &Node, found: &mut Vec<(usize, usize)>) {
    let mut below = |child: &Node| {
        if child.is_anchored {
            let start = text.get(..child.start).unwrap_or_default();
            // An anchored key begins with its anchor.
            let at = if text.get(child.start..).is_some_and(|rest| rest.starts_with('&')) {
                Some(child.start)
            } else {
                start.rfind('&')
            };
            if let Some(at) = at {
                let rest = text.get(at..).unwrap_or_default();
                let name = rest.find(char::is_whitespace).unwrap_or(rest.len());
                let spaces = rest.get(name..).map_or(0, |rest| rest.len() - rest.trim_start_matches(' ').len());
                found.push((at, at + name + spaces));
            }
        }
        if child.origin.is_none() {
            anchors_below(text, child, found);
        }
    };
    match &node.kind {
        Kind::List(items) => items.iter().for_each(|item| below(item)),
        Kind::Table(entries) => entries.iter().for_each(|entry| below(&entry.value)),
        Kind::Nothing | Kind::Scalar(_) => {}
    }
}

/// A value rewritten in flow style.
pub(super) fn between_brackets(text: &str, node: &Node) -> Option<String> {
    let slice = || text.get(node.start..node.end).map(str::to_owned);
    Some(match &node.kind {
        Kind::Nothing => "null".to_owned(),
        // A block scalar may contain characters that would end it in flow style.
        Kind::Scalar(_) if node.block || slice()?.contains('\n') => node.value()?.to_string(),
        Kind::Scalar(Value::String(_)) if is_odd(&slice()?) => node.value()?.to_string(),
        Kind::Scalar(_) => slice()?,
        Kind::List(_) | Kind::Table(_) if !node.block => without_anchors(text, node, node.start),
        Kind::List(items) => {
            let items = items.iter().map(|item| between_brackets(text, item.shared())).collect::<Option<Vec<_>>>()?;
            format!("[{}]", items.join(", "))
        }
        Kind::Table(entries) => {
            let member = |entry: &crate::tree::Entry| {
                let key = text.get(entry.start..entry.key_end)?;
                Some(format!("{key}: {}", between_brackets(text, entry.value.shared())?))
            };
            format!("{{ {} }}", entries.iter().map(member).collect::<Option<Vec<_>>>()?.join(", "))
        }
    })
}

/// True if a plain text would have another meaning in flow style, or without its tag.
fn is_odd(text: &str) -> bool {
    !text.starts_with(['"', '\'']) && (text.contains([',', '[', ']', '{', '}']) || crate::tree::is_no_text(text))
}
