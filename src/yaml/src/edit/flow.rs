//! Edits in flow style: JSON stays JSON.

use std::rc::Rc;

use serde_json::Value;

use super::copy::in_brackets;
use super::layout::{line_break, line_start};
use super::page::{Change, Page, Splice};
use crate::tree::{Entry, Kind, Node};
use crate::write::{self, Style};

/// Maximum width of a value on one line.
const WIDTH: usize = 80;

/// The splices of a change; `None` if it does not fit the layout.
pub(super) fn splices(page: &Page<'_>, change: &Change<'_>) -> Option<Vec<Splice>> {
    let node = change.node;
    match &node.kind {
        Kind::List(items) => Some(items_of(page, change, items)?.into_iter().map(|at| at.splice(node)).collect()),
        Kind::Table(entries) => Some(table(page, change, entries)?.into_iter().map(|at| at.splice(node)).collect()),
        Kind::Nothing => Some(vec![filled(page, change)?.splice(node)]),
        Kind::Scalar(_) => None,
    }
}

/// A replacement of a part of a flow collection.
struct Put {
    from: usize,
    to: usize,
    text: String,
}

impl Put {
    fn at(offset: usize, text: String) -> Self {
        Self { from: offset, to: offset, text }
    }

    fn splice(self, node: &Node) -> Splice {
        // Of two collections that end at the same position, the inner one ends first.
        Splice { from: self.from, to: self.to, depth: node.start, text: self.text, is_line: false }
    }
}

/// A value for a key, or a list item, that has none.
fn filled(page: &Page<'_>, change: &Change<'_>) -> Option<Put> {
    let items = || change.first.iter().chain(&change.last).cloned().collect();
    let value = if change.members.is_empty() { Value::Array(items()) } else { Value::Object(change.members.clone()) };
    let text = page.flow(&value, change.node)?;
    let (start, end) = (change.node.start, change.node.end);
    if end > start && start >= change.site.from {
        return Some(Put { from: start, to: end, text });
    }
    let (_, key_end) = change.site.key?;
    let colon = if change.site.from > key_end { " " } else { ": " };
    Some(Put::at(change.site.from, format!("{colon}{text}")))
}

fn items_of(page: &Page<'_>, change: &Change<'_>, items: &[Rc<Node>]) -> Option<Vec<Put>> {
    let texts = |items: &[Value]| items.iter().map(|item| page.flow(item, change.node)).collect::<Option<Vec<_>>>();
    let (mut first, mut last) = (texts(&change.first)?, texts(&change.last)?);
    let Some(last_item) = items.last() else {
        first.append(&mut last);
        return Some(vec![Put::at(change.node.start + 1, first.join(", "))]);
    };
    let mut puts = Vec::new();
    if !first.is_empty() {
        let before = page.break_before(change.node, items.first()?.start);
        puts.push(Put::at(change.node.start + 1, before_each(&first, &before, ",")));
    }
    if !last.is_empty() {
        let before = page.break_before(change.node, last_item.start);
        puts.push(Put::at(last_item.end, behind_each(&last, &before)));
    }
    Some(puts)
}

fn table(page: &Page<'_>, change: &Change<'_>, entries: &[Entry]) -> Option<Vec<Put>> {
    let member = |(key, value): (&String, &Value)| {
        Some(format!("{}: {}", page.writer().key(key), page.flow(value, change.node)?))
    };
    let end = |entry: &Entry| entry.value.end.max(page.sites.of(&entry.value).map_or(entry.key_end, |site| site.from));
    let mut puts = Vec::new();
    for (old, new) in &change.taken {
        let index = entries.iter().position(|entry| entry.key == *old)?;
        let entry = entries.get(index)?;
        puts.push(match new {
            Some((key, value)) => Put { from: entry.start, to: end(entry), text: member((key, value))? },
            None => {
                let before = index.checked_sub(1).and_then(|before| entries.get(before));
                let (from, to) = match (before, entries.get(index + 1)) {
                    (Some(before), _) => (end(before), end(entry)),
                    (None, Some(next)) => (entry.start, next.start),
                    (None, None) => (entry.start, end(entry)),
                };
                Put { from, to, text: String::new() }
            }
        });
    }
    if !change.members.is_empty() {
        let members = change.members.iter().map(member).collect::<Option<Vec<_>>>()?;
        puts.push(match entries.last() {
            Some(last) => Put::at(end(last), behind_each(&members, &page.break_before(change.node, last.start))),
            None => Put::at(change.node.start + 1, format!(" {} ", members.join(", "))),
        });
    }
    Some(puts)
}

fn before_each(texts: &[String], before: &str, behind: &str) -> String {
    let space = if before.is_empty() { " " } else { "" };
    let one = |text: &String| format!("{before}{text}{behind}");
    let all: String = texts.iter().map(one).collect::<Vec<_>>().join(space);
    format!("{all}{space}")
}

fn behind_each(texts: &[String], before: &str) -> String {
    let before = if before.is_empty() { " " } else { before };
    texts.iter().map(|text| format!(",{before}{text}")).collect()
}

impl Page<'_> {
    /// The line break and indentation before an offset that begins a line; empty for any other.
    fn break_before(&self, node: &Node, offset: usize) -> String {
        let start = line_start(self.text, offset);
        if start <= node.start {
            return String::new();
        }
        let line = self.text.get(start..offset).unwrap_or_default();
        let indent = line.get(..line.len() - line.trim_start().len()).unwrap_or_default();
        format!("{}{indent}", line_break(self.text))
    }

    /// A value in flow style, on several lines if it is long.
    fn flow(&self, value: &Value, around: &Node) -> Option<String> {
        let start = line_start(self.text, around.start);
        let line = self.text.get(start..).unwrap_or_default();
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        in_brackets(&self.writer().value(value, indent + 4), self.text, self.top)
    }

    fn writer(&self) -> Writer<'_> {
        Writer { is_json: !self.top.block, style: self.style, line_break: line_break(self.text) }
    }
}

struct Writer<'s> {
    is_json: bool,
    style: &'s Style,
    line_break: &'static str,
}

impl Writer<'_> {
    fn key(&self, key: &str) -> String {
        self.short(&Value::String(key.to_owned()))
    }

    fn short(&self, value: &Value) -> String {
        if self.is_json { value.to_string() } else { write::flow(value, self.style) }
    }

    fn value(&self, value: &Value, indent: usize) -> String {
        let short = self.short(value);
        let is_short = short.len() <= WIDTH;
        match value {
            Value::Array(items) if !is_short => {
                let items = items.iter().map(|item| self.value(item, indent + 2)).collect();
                self.lines(['[', ']'], items, indent)
            }
            Value::Object(members) if !is_short => {
                let member =
                    |(key, value): (&String, &Value)| format!("{}: {}", self.key(key), self.value(value, indent + 2));
                self.lines(['{', '}'], members.iter().map(member).collect(), indent)
            }
            _ => short,
        }
    }

    fn lines(&self, brackets: [char; 2], texts: Vec<String>, indent: usize) -> String {
        let [open, close] = brackets;
        let (inner, outer) = (" ".repeat(indent + 2), " ".repeat(indent));
        let line_break = self.line_break;
        let texts = texts.join(&format!(",{line_break}{inner}"));
        format!("{open}{line_break}{inner}{texts}{line_break}{outer}{close}")
    }
}
