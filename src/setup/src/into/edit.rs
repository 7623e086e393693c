//! Additions to a configuration: to its text, so that comments and layout stay, or else to its value.
//!
//! What the text has become is read again and compared with the value: a text that is laid out in a way that nobody
//! foresaw is written anew, and refused rather than written wrongly.

use serde_json::{Map, Value, json};

use crate::envoy::{Options, yaml};
use crate::located::{At, Kind, Node, read};

/// An addition.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    /// Items at an end of the list at this path.
    Insert {
        /// The list's path.
        list: String,
        /// Before its first item, rather than behind its last one.
        first: bool,
        /// The items.
        items: Vec<Value>,
    },
    /// A member that the object at this path does not have.
    Set {
        /// The object's path; empty for the whole.
        table: String,
        /// The member's key.
        key: String,
        /// Its value.
        value: Value,
    },
}

impl Edit {
    /// Does to it what [`Options::finish`] does.
    pub(super) fn finish(&mut self, options: &Options) {
        match self {
            Self::Insert { items, .. } => items.iter_mut().for_each(|item| options.finish(item)),
            Self::Set { value, .. } => options.finish(value),
        }
    }
}

/// What has become of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edited {
    /// The new text.
    pub(super) text: String,
    /// Comments and layout are those of the old one.
    pub(super) is_kept: bool,
}

/// Why nothing was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// A path leads to nothing, or to a value of another kind.
    Nowhere,
    /// The text that was written anew reads as something else.
    Unwritable,
}

/// Makes all additions.
///
/// # Errors
/// When a path leads nowhere, or no text says what was meant.
pub(super) fn apply(text: &str, top: &At<'_>, edits: &[Edit]) -> Result<Edited, Unfit> {
    let value = edited(top, edits).ok_or(Unfit::Nowhere)?;
    let is_meant = |new: &String| {
        let documents = read(new).unwrap_or_default();
        matches!(documents.as_slice(), [only] if only.value().as_ref() == Some(&value))
    };
    if let Some(text) = to_text(text, top, edits).filter(is_meant) {
        return Ok(Edited { text, is_kept: true });
    }
    let anew = Some(yaml::write_verbatim(&value)).filter(is_meant).ok_or(Unfit::Unwritable)?;
    Ok(Edited { text: anew, is_kept: false })
}

/// The value with all additions.
fn edited(top: &At<'_>, edits: &[Edit]) -> Option<Value> {
    let mut value = top.node.value()?;
    // Paths are those of the text: what moves the items of a list comes last.
    let (moving, others): (Vec<&Edit>, Vec<&Edit>) =
        edits.iter().partition(|edit| matches!(edit, Edit::Insert { first: true, .. }));
    for edit in others.into_iter().chain(moving) {
        to_value(&mut value, edit)?;
    }
    Some(value)
}

fn to_value(value: &mut Value, edit: &Edit) -> Option<()> {
    match edit {
        Edit::Insert { list, first, items } => {
            let list = value.pointer_mut(&pointer(list))?.as_array_mut()?;
            let at = if *first { 0 } else { list.len() };
            list.splice(at..at, items.iter().cloned());
        }
        Edit::Set { table, key, value: member } => {
            let table = value.pointer_mut(&pointer(table))?;
            if table.is_null() {
                *table = json!({});
            }
            table.as_object_mut()?.insert(key.clone(), member.clone());
        }
    }
    Some(())
}

/// `a.b[0].c` as `/a/b/0/c`. Keys on the way to what is edited have no dots.
fn pointer(path: &str) -> String {
    if path.is_empty() {
        return String::new();
    }
    format!("/{}", path.replace(['.', '['], "/").replace(']', ""))
}

/// A place in the text and what is put there.
struct Splice {
    offset: usize,
    /// Of what is put at the same place, the deeper belongs to what is before it.
    column: usize,
    text: String,
}

fn to_text(text: &str, top: &At<'_>, edits: &[Edit]) -> Option<String> {
    let mut splices = edits.iter().map(|edit| splice(text, top, edit)).collect::<Option<Vec<_>>>()?;
    splices.sort_by_key(|splice| (splice.offset, usize::MAX - splice.column));
    let (mut new, mut from) = (String::new(), 0);
    for splice in splices {
        new.push_str(text.get(from..splice.offset)?);
        // The last line may have no end.
        if !splice.text.starts_with([',', '{', '[', '"', ' ']) && !new.is_empty() && !new.ends_with('\n') {
            new.push('\n');
        }
        new.push_str(&splice.text);
        from = splice.offset;
    }
    new.push_str(text.get(from..)?);
    Some(new)
}

fn splice(text: &str, top: &At<'_>, edit: &Edit) -> Option<Splice> {
    match edit {
        Edit::Insert { list, first, items } => {
            let node = find(top.node, list)?;
            let Kind::List(known) = &node.kind else { return None };
            let value = Value::Array(items.clone());
            if !node.block {
                let inner = inner(&value.to_string()).to_owned();
                return Some(flow(node, inner, known.is_empty(), *first));
            }
            let start = line_start(text, known.first()?.start);
            let column = column(text, start)?;
            if !text.get(start + column..)?.starts_with('-') {
                return None;
            }
            let offset = if *first { above_comments(text, start) } else { line_end(text, node.end) };
            Some(Splice { offset, column, text: indented(&yaml::write_verbatim(&value), column) })
        }
        Edit::Set { table, key, value } => {
            let node = find(top.node, table)?;
            let Kind::Table(known) = &node.kind else { return None };
            let value = Value::Object(Map::from_iter([(key.clone(), value.clone())]));
            if !node.block {
                let inner = inner(&value.to_string()).to_owned();
                return Some(flow(node, inner, known.is_empty(), false));
            }
            let first = known.first()?;
            let column = first.start.checked_sub(line_start(text, first.start))?;
            let offset = line_end(text, node.end);
            Some(Splice { offset, column, text: indented(&yaml::write_verbatim(&value), column) })
        }
    }
}

/// Within brackets, where a line says nothing.
fn flow(node: &Node, inner: String, is_empty: bool, first: bool) -> Splice {
    let (offset, text) = match (first, is_empty) {
        (true, true) => (node.start + 1, inner),
        (true, false) => (node.start + 1, format!(" {inner}, ")),
        (false, true) => (node.end.saturating_sub(1), inner),
        (false, false) => (node.end.saturating_sub(1), format!(", {inner} ")),
    };
    // The inner of two brackets that end at one place ends first.
    Splice { offset, column: node.start, text }
}

/// JSON without its brackets.
fn inner(json: &str) -> &str {
    json.get(1..json.len().saturating_sub(1)).unwrap_or_default()
}

fn find<'n>(node: &'n Node, path: &str) -> Option<&'n Node> {
    let pointer = pointer(path);
    pointer.split('/').skip(1).try_fold(node, |node, step| match &node.kind {
        Kind::List(items) => items.get(step.parse::<usize>().ok()?).map(|item| item.as_ref()),
        Kind::Table(entries) => entries.iter().find(|entry| entry.key == step).map(|entry| entry.value.as_ref()),
        Kind::Nothing | Kind::Scalar(_) => None,
    })
}

fn line_start(text: &str, offset: usize) -> usize {
    text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1)
}

/// Behind the line that has this place; a block scalar ends where the next line begins, or behind its spaces.
fn line_end(text: &str, offset: usize) -> usize {
    let start = line_start(text, offset);
    if start > 0 && text.get(start..offset).is_some_and(|before| before.bytes().all(|byte| byte == b' ')) {
        return start;
    }
    text.get(offset..).and_then(|behind| behind.find('\n')).map_or(text.len(), |end| offset + end + 1)
}

/// How many spaces a line begins with.
fn column(text: &str, start: usize) -> Option<usize> {
    Some(text.get(start..)?.bytes().take_while(|byte| *byte == b' ').count())
}

/// Above the comments that stand right above a line: they belong to it.
fn above_comments(text: &str, mut start: usize) -> usize {
    while start > 0 {
        let above = line_start(text, start - 1);
        if !text.get(above..start).is_some_and(|line| line.trim_start().starts_with('#')) {
            break;
        }
        start = above;
    }
    start
}

fn indented(text: &str, column: usize) -> String {
    let indent = " ".repeat(column);
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{indent}{line}\n") }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn edited(text: &str, edits: &[Edit]) -> Edited {
        let documents = read(text).unwrap();
        apply(text, &At::top("", &documents[0]), edits).unwrap()
    }

    fn insert(list: &str, first: bool, item: Value) -> Edit {
        Edit::Insert { list: list.into(), first, items: vec![item] }
    }

    fn set(table: &str, key: &str, value: Value) -> Edit {
        Edit::Set { table: table.into(), key: key.into(), value }
    }

    #[test]
    fn comments_and_layout_stay() {
        let text =
            "# top\na: # list\n  # first\n  - name: x # y\n    more: |\n      text\n  -   z\nb: { c: [1] } # d\n";
        let edits = [
            insert("a", true, json!({ "new": 1, "long": "x".repeat(120) })),
            insert("a", false, json!("last")),
            insert("b.c", true, json!({ "k": "v" })),
            set("b", "e", json!([2])),
            set("a[0]", "also", json!(true)),
            set("", "f", json!({})),
        ];
        let long = "x".repeat(120);
        let expected = format!(
            "# top\na: # list\n  - long: {long}\n    new: 1\n  # first\n  - name: x # y\n    more: |\n      text\n    also: \
             true\n  -   z\n  - last\nb: {{ c: [ {{\"k\":\"v\"}}, 1] , \"e\":[2] }} # d\nf: {{}}\n"
        );
        assert_eq!(edited(text, &edits), Edited { text: expected, is_kept: true });
    }

    #[test]
    fn the_end_of_the_text_needs_no_line_break() {
        let new = edited("a:\n- b: 1", &[insert("a", false, json!(2)), set("", "c", json!(3))]);
        assert_eq!(new, Edited { text: "a:\n- b: 1\n- 2\nc: 3\n".into(), is_kept: true });
    }

    #[test]
    fn json_stays_json() {
        let new =
            edited(r#"{"a": [], "b": [1]}"#, &[insert("a", true, json!(1)), insert("b", false, json!({ "c": null }))]);
        assert!(new.is_kept);
        assert_eq!(serde_json::from_str::<Value>(&new.text).unwrap(), json!({ "a": [1], "b": [1, { "c": null }] }));
    }

    #[test]
    fn what_would_change_something_else_is_written_anew() {
        // The list stands in two places, and is to change in one.
        let new = edited("a: &x\n- 1\nb: *x\n", &[insert("a", false, json!(2))]);
        assert!(!new.is_kept);
        assert_eq!(read(&new.text).unwrap()[0].value(), Some(json!({ "a": [1, 2], "b": [1] })));
        let dash_alone = edited("a:\n-\n  b: 1\n", &[insert("a", true, json!(2))]);
        assert_eq!(read(&dash_alone.text).unwrap()[0].value(), Some(json!({ "a": [2, { "b": 1 }] })));
    }

    #[test]
    fn what_is_written_anew_keeps_keys_that_look_like_marks_of_ours() {
        let user = r##"a: &x
- 1
b: *x
code: { "*": code }
configuration: { "#": "a text", c: { "#": d } }
"##;
        let new = edited(user, &[insert("a", false, json!(2))]);
        assert!(!new.is_kept);
        let meant = json!({
            "a": [1, 2], "b": [1], "code": { "*": "code" }, "configuration": { "#": "a text", "c": { "#": "d" } },
        });
        assert_eq!(read(&new.text).unwrap()[0].value(), Some(meant));
    }
}
