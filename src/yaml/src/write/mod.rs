//! Writes a configuration as readable YAML: comments, important keys first, short values on one line, and repeated
//! values as aliases.
//!
//! [`write()`] takes a text under the key `#` of a mapping as a comment above it, and `{"*": key}` as a reference to a
//! mapping elsewhere; [`write_beside`] gives no key a special meaning. A text is written so that every reader reads
//! that very text, and no comment changes the content. (The crates that write YAML write types; they support comments
//! after scalars only.)

mod scalar;
mod style;

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Map, Value, json};

use scalar::{comment_line, is_block, scalar};
pub use style::Style;
#[cfg(test)]
pub(crate) use style::TESTED;

/// Key of comments.
const COMMENT: &str = "#";

/// Key of a reference to another mapping: see [`same`].
const SAME: &str = "*";

/// Maximum length of a line, except for a single text.
const WIDTH: usize = 120;

/// Maximum length of a mapping or list in flow style: longer ones are easier to read in block style.
const SHORT: usize = 100;

/// Maximum number of different shared values: each value under such a key is compared with all of them.
const MAX_SHARED: usize = 16;

/// Adds a comment above a mapping. Each line becomes a line of the comment.
pub fn comment(value: &mut Value, text: &str) {
    if let Some(map) = value.as_object_mut() {
        map.insert(COMMENT.to_owned(), json!(text));
    }
}

/// A reference to the first mapping under this key, which must be one of the style's shared keys. It takes little
/// memory where ten thousand copies of the mapping would take much.
pub fn same(key: &str) -> Value {
    json!({ SAME: key })
}

/// Removes all comments, and resolves the references of [`same`]: for uses other than text.
pub fn plain(value: &mut Value, style: &Style) {
    let mut firsts = Map::new();
    find_firsts(value, style, &mut firsts);
    fill(value, &firsts);
}

fn find_firsts(value: &Value, style: &Style, firsts: &mut Map<String, Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let is_whole = Marks::Ours.same_key(value).is_none();
                if style.is_shareable(key, value) && is_whole && !firsts.contains_key(key) {
                    firsts.insert(key.clone(), value.clone());
                }
                find_firsts(value, style, firsts);
            }
        }
        Value::Array(list) => list.iter().for_each(|item| find_firsts(item, style, firsts)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn fill(value: &mut Value, firsts: &Map<String, Value>) {
    if let Some(first) = Marks::Ours.same_key(value).and_then(|key| firsts.get(key)) {
        *value = first.clone();
    }
    match value {
        Value::Object(map) => {
            map.retain(|key, value| !Marks::Ours.is_comment(key, value));
            map.values_mut().for_each(|value| fill(value, firsts));
        }
        Value::Array(list) => list.iter_mut().for_each(|item| fill(item, firsts)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The text of a value of ours, with a final line break.
pub fn write(value: &Value, style: &Style) -> String {
    text(value, style, Marks::Ours, &mut BTreeSet::new())
}

/// The text of a foreign value within a text that has these anchors; new anchors are added to the set.
pub(crate) fn write_beside(value: &Value, style: &Style, anchors: &mut BTreeSet<String>) -> String {
    text(value, style, Marks::None, anchors)
}

/// The text of a foreign value in flow style.
pub(crate) fn flow(value: &Value, style: &Style) -> String {
    Marks::None.flow(value, style)
}

fn text(value: &Value, style: &Style, marks: Marks, anchors: &mut BTreeSet<String>) -> String {
    let mut writer =
        Writer { text: String::new(), shared: Vec::new(), referred: BTreeSet::new(), style, marks, anchors };
    writer.count(value);
    for key in std::mem::take(&mut writer.referred) {
        if let Some(first) = writer.shared.iter_mut().find(|shared| shared.key == key) {
            first.uses += 1;
        }
    }
    writer.shared.retain(|shared| shared.uses > 1);
    match value {
        Value::Object(map) if !marks.is_bare(map) => writer.map(map, 0),
        Value::Array(list) if !list.is_empty() => writer.list(list, 0),
        scalar => {
            writer.text.push_str(&marks.flow(scalar, style));
            writer.text.push('\n');
        }
    }
    writer.text
}

struct Writer<'v> {
    text: String,
    shared: Vec<Shared<'v>>,
    /// The keys that references name.
    referred: BTreeSet<&'v str>,
    style: &'v Style,
    marks: Marks,
    /// The anchors in use.
    anchors: &'v mut BTreeSet<String>,
}

/// The meaning of the keys `#` and `*`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Marks {
    /// Comments and references, in values of ours.
    Ours,
    /// Ordinary keys, in foreign values.
    None,
}

struct Shared<'v> {
    key: &'v str,
    value: &'v Value,
    uses: usize,
    anchor: Option<String>,
}

impl<'v> Writer<'v> {
    /// Counts repeated values.
    fn count(&mut self, value: &'v Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    if self.style.is_shareable(key, value) && self.is_known(key, value) {
                        continue;
                    }
                    self.count(value);
                }
            }
            Value::Array(list) => list.iter().for_each(|item| self.count(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn is_known(&mut self, key: &'v str, value: &'v Value) -> bool {
        if self.marks.same_key(value).is_some() {
            self.referred.insert(key);
            return true;
        }
        if let Some(known) = self.shared.iter_mut().find(|shared| shared.key == key && shared.value == value) {
            known.uses += 1;
            return true;
        }
        if self.shared.len() < MAX_SHARED {
            self.shared.push(Shared { key, value, uses: 1, anchor: None });
        }
        false
    }

    /// Writes the lines of a mapping; the first one begins at the end of the text.
    fn map(&mut self, map: &'v Map<String, Value>, indent: usize) {
        let mut entries: Vec<(&String, &Value)> =
            map.iter().filter(|(key, value)| !self.marks.is_comment(key, value)).collect();
        entries.sort_by_key(|(key, _)| self.style.rank(key));
        for (index, (key, value)) in entries.into_iter().enumerate() {
            if index > 0 {
                self.indent(indent);
            }
            self.above(value, indent);
            self.text.push_str(&scalar(key));
            self.text.push(':');
            self.entry(key, value, indent);
        }
    }

    /// Writes the value after a key.
    fn entry(&mut self, key: &str, value: &'v Value, indent: usize) {
        if let Some(key) = self.marks.same_key(value) {
            let _ = writeln!(self.text, " *{key}");
            return;
        }
        let shared = self.shared.iter().position(|shared| shared.key == key && shared.value == value);
        if let Some(index) = shared {
            if let Some(anchor) = &self.shared[index].anchor {
                let _ = writeln!(self.text, " *{anchor}");
                return;
            }
            let numbered = (2..).map(|number| format!("{key}_{number}"));
            let mut names = std::iter::once(key.to_owned()).chain(numbered);
            let anchor = names.find(|name| !self.anchors.contains(name)).unwrap_or_else(|| key.to_owned());
            self.anchors.insert(anchor.clone());
            let _ = write!(self.text, " &{anchor}");
            self.shared[index].anchor = Some(anchor);
        }
        match value {
            Value::Object(map) if self.is_long(value, indent) => {
                self.text.push('\n');
                self.indent(indent + 2);
                self.map(map, indent + 2);
            }
            Value::Array(list) if self.is_long(value, indent) => {
                let indent = if shared.is_some() { indent + 2 } else { indent };
                self.text.push('\n');
                self.indent(indent);
                self.list(list, indent);
            }
            Value::String(text) if text.contains('\n') && is_block(text) => self.block(text, indent + 2),
            short => {
                let _ = writeln!(self.text, " {}", self.marks.flow(short, self.style));
            }
        }
    }

    fn list(&mut self, list: &'v [Value], indent: usize) {
        for (index, item) in list.iter().enumerate() {
            if index > 0 {
                self.indent(indent);
            }
            self.above(item, indent);
            self.text.push_str("- ");
            match item {
                Value::Object(map) if self.is_long(item, indent) => self.map(map, indent + 2),
                Value::Array(list) if self.is_long(item, indent) => self.list(list, indent + 2),
                short => {
                    let _ = writeln!(self.text, "{}", self.marks.flow(short, self.style));
                }
            }
        }
    }

    /// Writes the comment of a mapping.
    fn above(&mut self, value: &Value, indent: usize) {
        let Some(text) = self.marks.comment(value) else { return };
        for line in text.split('\n') {
            let _ = writeln!(self.text, "{}", comment_line(line));
            self.indent(indent);
        }
    }

    fn block(&mut self, text: &str, indent: usize) {
        self.text.push_str(" |\n");
        for line in text.lines() {
            self.indent(indent);
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    /// True if the value is to be in block style.
    fn is_long(&self, value: &Value, indent: usize) -> bool {
        match value {
            Value::Object(map) if self.marks.is_bare(map) => return false,
            Value::Array(list) if list.is_empty() => return false,
            _ => {}
        }
        !fits(value, SHORT.min(WIDTH.saturating_sub(indent + 24)))
            || self.marks.has_comment_or_anchor(value, self.style, &self.shared)
    }

    fn indent(&mut self, indent: usize) {
        self.text.extend(std::iter::repeat_n(' ', indent));
    }
}

impl Marks {
    /// The comment of a mapping.
    fn comment(self, value: &Value) -> Option<&str> {
        value.get(COMMENT).and_then(Value::as_str).filter(|_| self == Self::Ours)
    }

    fn is_comment(self, key: &str, value: &Value) -> bool {
        self == Self::Ours && key == COMMENT && value.is_string()
    }

    fn same_key(self, value: &Value) -> Option<&str> {
        let map = value.as_object().filter(|map| self == Self::Ours && map.len() == 1)?;
        map.get(SAME)?.as_str()
    }

    /// True if a mapping has nothing but a comment.
    fn is_bare(self, map: &Map<String, Value>) -> bool {
        map.iter().all(|(key, value)| self.is_comment(key, value))
    }

    fn has_comment_or_anchor(self, value: &Value, style: &Style, shared: &[Shared<'_>]) -> bool {
        match value {
            Value::Object(map) => map.iter().any(|(key, value)| {
                let is_first = || shared.iter().any(|shared| shared.key == key && shared.value == value);
                self.is_comment(key, value)
                    || self.same_key(value).is_some()
                    || (style.is_shareable(key, value) && is_first())
                    || self.has_comment_or_anchor(value, style, shared)
            }),
            Value::Array(list) => list.iter().any(|item| self.has_comment_or_anchor(item, style, shared)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }

    /// The value in flow style.
    fn flow(self, value: &Value, style: &Style) -> String {
        match value {
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().filter(|(key, value)| !self.is_comment(key, value)).collect();
                if entries.is_empty() {
                    return "{}".to_owned();
                }
                entries.sort_by_key(|(key, _)| style.rank(key));
                let entry = |(key, value): (&String, &Value)| format!("{}: {}", scalar(key), self.flow(value, style));
                let entries: Vec<String> = entries.into_iter().map(entry).collect();
                format!("{{ {} }}", entries.join(", "))
            }
            Value::Array(list) => {
                format!("[{}]", list.iter().map(|item| self.flow(item, style)).collect::<Vec<_>>().join(", "))
            }
            Value::String(text) => scalar(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        }
    }
}

/// True if the value fits in this width in flow style; a large value is not written completely.
fn fits(value: &Value, room: usize) -> bool {
    fn left(value: &Value, room: usize) -> Option<usize> {
        match value {
            Value::Object(map) => map
                .iter()
                .try_fold(room.checked_sub(4)?, |room, (key, value)| left(value, room.checked_sub(key.len() + 4)?)),
            Value::Array(list) => {
                list.iter().try_fold(room.checked_sub(2)?, |room, item| left(item, room.checked_sub(2)?))
            }
            Value::String(text) => (!text.contains('\n')).then(|| room.checked_sub(text.len()))?,
            Value::Null | Value::Bool(_) | Value::Number(_) => room.checked_sub(5),
        }
    }
    left(value, room).is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// Characters that some reader takes for a line break, or refuses.
    const ODD: [char; 13] = [
        '\r', '\n', '\u{85}', '\u{2028}', '\u{2029}', '\u{b}', '\u{c}', '\0', '\u{1b}', '\u{feff}', '\u{fffe}',
        '\u{ffff}', '\t',
    ];

    proptest! {
        #[test]
        fn no_comment_changes_what_is_read(
            comments in prop::collection::vec(
                prop::collection::vec(prop_oneof![prop::sample::select(ODD.to_vec()), any::<char>(), prop::sample::select(vec!['-', ' ', ':', '#', 'a'])], 0..20),
                3,
            ),
            length in 0..150_usize,
        ) {
            let meant = json!({ "clusters": [{ "name": "x".repeat(length) }, {}], "admin": { "a": { "b": 1 } } });
            let mut marked = meant.clone();
            for (place, text) in ["/clusters/0", "/clusters/1", "/admin"].into_iter().zip(&comments) {
                comment(marked.pointer_mut(place).unwrap(), &text.iter().collect::<String>());
            }
            let text = write(&marked, &TESTED);
            prop_assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), meant);
            // No reader breaks a line where another does not, or finds a character that it refuses.
            prop_assert!(!text.chars().any(|c| c != '\n' && ODD.contains(&c)), "{:?}", text);
        }

        #[test]
        fn whatever_is_written_verbatim_is_read_as_it_is(
            keys in prop::collection::vec(prop_oneof![Just("#".to_owned()), Just("*".to_owned()), Just("code".to_owned()), any::<String>()], 0..5),
            texts in prop::collection::vec(any::<String>(), 5),
        ) {
            let map: Map<String, Value> = keys.into_iter().zip(texts).map(|(key, text)| (key, json!(text))).collect();
            let value = json!({ "code": map, "more": [map, { "code": map }] });
            let text = write_beside(&value, &TESTED, &mut BTreeSet::new());
            prop_assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn a_name_in_a_comment_cannot_add_a_cluster() {
        let mut cluster = json!({ "name": "a" });
        comment(&mut cluster, "The service x\r  - name: injected\u{85}  - name: injected\u{2028}- name: injected.");
        let text = write(&json!({ "clusters": [cluster] }), &TESTED);
        let expected = r"# The service x\u000d  - name: injected\u0085  - name: injected\u2028- name: injected.";
        assert_eq!(text, format!("clusters:\n{expected}\n- name: a\n"));
    }

    #[test]
    fn comments_stand_above_and_small_things_on_one_line() {
        let mut listener = json!({ "name": "web", "address": { "socket_address": { "port_value": 80 } },
            "filter_chains": [{ "filters": ["x".repeat(99), "b"] }] });
        comment(&mut listener, "First.\n\nSecond.");
        let text = write(&json!({ "listeners": [listener, {}] }), &TESTED);
        let long = "x".repeat(99);
        let expected = format!(
            "listeners:\n# First.\n#\n# Second.\n- name: web\n  address: {{ socket_address: {{ port_value: 80 }} }}\n  \
             filter_chains:\n  - filters:\n    - {long}\n    - b\n- {{}}\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_the_same_is_written_once() {
        let secret = |name: &str| json!({ "name": name, "sds_config": { "a": 1 } });
        let text = write(&json!([secret("a"), secret("b"), { "sds_config": { "a": 2 } }]), &TESTED);
        let expected = "- name: a\n  sds_config: &sds_config { a: 1 }\n- name: b\n  sds_config: *sds_config\n- \
                        { sds_config: { a: 2 } }\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_stands_for_another_is_written_like_it() {
        let whole = json!([{ "sds_config": { "a": 1 } }, { "sds_config": same("sds_config") }]);
        assert_eq!(write(&whole, &TESTED), "- sds_config: &sds_config { a: 1 }\n- sds_config: *sds_config\n");
        let mut plain_whole = whole;
        plain(&mut plain_whole, &TESTED);
        assert_eq!(plain_whole, json!([{ "sds_config": { "a": 1 } }, { "sds_config": { "a": 1 } }]));
    }

    #[test]
    fn a_text_is_read_as_that_text() {
        let texts = [
            "",
            "a",
            "no",
            "NULL",
            "1",
            "1.5",
            "1e3",
            "0x1f",
            "-",
            "- a",
            "a: b",
            "a:",
            "#",
            "a #b",
            "'",
            "\"",
            "\\",
            "*",
            "&a",
            "!x",
            "%",
            "@a",
            "`",
            "{}",
            "[",
            "~",
            "\n",
            "a\nb",
            "a\nb\n",
            " a\n",
            "\ta\n",
            "a\n\nb\n",
            "\u{7f}",
            "127.0.0.1",
            "0.05s",
            "1s",
            "1_000",
            "é",
            "/.well-known/",
            "outbound|443||a.b",
            "::1",
            "2026-11-24",
            "\u{85}a",
            "=",
            "<<",
            "?",
            "a\r\n",
            "12:30:45",
            "0o7",
            ".inf",
            ".5",
            "\u{2028}",
        ];
        let entry = |text: &&str| ((*text).to_owned(), json!({ "k": text, "l": [text] }));
        let map: Map<String, Value> = texts.iter().map(entry).collect();
        let value = json!({ "list": texts.as_slice(), "map": map });
        let read: Value = serde_saphyr::from_str(&write(&value, &TESTED)).unwrap();
        assert_eq!(read, value);
    }
}
