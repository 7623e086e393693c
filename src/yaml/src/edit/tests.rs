//! Edits texts in every layout that YAML has: the value is the intended one, and nothing else changes.

#![allow(clippy::arithmetic_side_effects, clippy::string_slice, reason = "a test fails by panicking")]

use serde_json::json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::write::TESTED;

fn apply(text: &str, edits: &[Edit]) -> Result<String, Unfit> {
    super::apply(text, edits, &TESTED)
}

fn insert(list: &str, first: bool, item: Value) -> Edit {
    Edit::Insert { list: list.to_owned(), first, items: vec![item] }
}

fn set(table: &str, key: &str, value: Value) -> Edit {
    Edit::Set { table: table.to_owned(), key: key.to_owned(), value }
}

fn replace(table: &str, old: &str, key: &str, value: Value) -> Edit {
    Edit::Replace { table: table.to_owned(), old: old.to_owned(), key: key.to_owned(), value }
}

#[track_caller]
fn becomes(text: &str, edits: &[Edit], expected: &str) {
    let new = apply(text, edits);
    assert!(
        new.as_deref() == Ok(expected),
        "of\n{text}\nbecame\n{}\nexpected\n{expected}",
        new.unwrap_or_else(|unfit| format!("{unfit:?}"))
    );
}

#[test]
fn an_item_comes_behind_the_last_one_whatever_the_last_one_ends_with() {
    let two = || insert("a", false, json!("new"));
    becomes("a:\n- x", &[two()], "a:\n- x\n- new\n");
    becomes("a:\n  - x: 1\n    y:", &[two()], "a:\n  - x: 1\n    y:\n  - new\n");
    becomes("b: &b 1\na:\n- x\n- *b\nc: 1\n", &[two()], "b: &b 1\na:\n- x\n- *b\n- new\nc: 1\n");
    becomes("a:\n- x: |\n    t\n\n\nb: 1\n", &[two()], "a:\n- x: |\n    t\n\n\n- new\nb: 1\n");
    becomes("a:\n- x # why\n  # of x\n# of b\nb: 1\n", &[two()], "a:\n- x # why\n  # of x\n- new\n# of b\nb: 1\n");
    becomes("a:\n- x: |+\n    t\n\n\nb: 1\n", &[two()], "a:\n- x: |+\n    t\n\n\n- new\nb: 1\n");
    becomes("a:\r\n- x\r\nb: 1\r\n", &[two()], "a:\r\n- x\r\n- new\r\nb: 1\r\n");
    becomes("---\na:\n- x\n...\n", &[two()], "---\na:\n- x\n- new\n...\n");
    becomes("\u{feff}a:\n- x\n", &[two()], "\u{feff}a:\n- x\n- new\n");
}

#[test]
fn an_item_comes_before_the_first_one_and_above_its_comment() {
    let one = || insert("a", true, json!({ "k": 1 }));
    becomes("a:\n# of x\n- x\n", &[one()], "a:\n- { k: 1 }\n# of x\n- x\n");
    becomes("a: &a\n  -\n    x: 1\n", &[one()], "a: &a\n  - { k: 1 }\n  -\n    x: 1\n");
    becomes("a: [x, y]\n", &[one()], "a: [{ k: 1 }, x, y]\n");
}

#[test]
fn what_is_empty_gets_lines_of_its_own() {
    let to = || set("a.b", "k", json!(1));
    becomes("a:\n  b:\n  c: 1\n", &[to()], "a:\n  b:\n    k: 1\n  c: 1\n");
    becomes("a:\n  b: # later\n  c: 1\n", &[to()], "a:\n  b: # later\n    k: 1\n  c: 1\n");
    becomes("a:\n  b: ~\n", &[to()], "a:\n  b:\n    k: 1\n");
    becomes("a: { b: , c: 1 }\n", &[to()], "a: { b: { k: 1 } , c: 1 }\n");
    becomes("a: { b }\n", &[to()], "a: { b: { k: 1 } }\n");
    becomes("a:\n  b: {} # none\n", &[to()], "a:\n  b: # none\n    k: 1\n");
    becomes("c: []\n", &[insert("c", false, json!({ "name": "x" }))], "c:\n  - { name: x }\n");
}

#[test]
fn one_message_becomes_a_list() {
    let more = || insert("c", false, json!({ "name": "new" }));
    becomes("c:\n  name: x\n  type: y\n", &[more()], "c:\n- name: x\n  type: y\n- { name: new }\n");
    becomes("c:\n    name: x\n    type: y\n", &[more()], "c:\n  - name: x\n    type: y\n  - { name: new }\n");
    becomes("c:\n name: x\n t: |\n  a\n", &[more()], "c:\n- name: x\n  t: |\n   a\n- { name: new }\n");
    becomes("c: { name: x }\n", &[more()], "c: [{ name: x }, { name: new }]\n");
    becomes(
        "c:\n  name: x\n  in:\n    a: 1\n",
        &[more(), set("c", "k", json!(2)), set("c.in", "b", json!(3))],
        "c:\n- name: x\n  in:\n    a: 1\n    b: 3\n  k: 2\n- { name: new }\n",
    );
}

#[test]
fn an_alias_is_written_out_where_one_of_its_places_alone_is_edited() {
    let text = "a:\n  f: &f\n  - x # why\n  - y: 1\n    z: 2\nb:\n  f: *f # the same\nc: 1\n";
    becomes(
        text,
        &[insert("a.f", true, json!("new"))],
        "a:\n  f: &f\n  - new\n  - x # why\n  - y: 1\n    z: 2\nb:\n  f: # the same\n    - x # why\n    - y: 1\n      z: 2\nc: 1\n",
    );
    becomes(
        text,
        &[insert("b.f", true, json!("new"))],
        "a:\n  f: &f\n  - x # why\n  - y: 1\n    z: 2\nb:\n  f: # the same\n    - new\n    - x # why\n    - y: 1\n      z: 2\nc: 1\n",
    );
    becomes(
        text,
        &[insert("a.f", true, json!("new")), insert("b.f", true, json!("new"))],
        "a:\n  f: &f\n  - new\n  - x # why\n  - y: 1\n    z: 2\nb:\n  f: *f # the same\nc: 1\n",
    );
    becomes(
        "a: &a { x: 1 }\nb: [*a, *a]\n",
        &[set("b[1]", "k", json!(2))],
        "a: &a { x: 1 }\nb: [*a, { x: 1, k: 2 }]\n",
    );
}

#[test]
fn a_member_is_replaced_and_what_others_have_of_it_stays() {
    becomes(
        "t:\n  own:\n  - f: &f c.pem # mine\n  alpn: [h2]\nu: *f\n",
        &[replace("t", "own", "sds", json!([{ "name": "x" }]))],
        "t:\n  sds: [{ name: x }]\n  alpn: [h2]\nu: c.pem\n",
    );
    becomes("t: { own: [1, 2], a: 1 }\n", &[replace("t", "own", "sds", json!([3]))], "t: { sds: [3], a: 1 }\n");
    let gone = |key: &str| Edit::Remove { table: "t".to_owned(), key: key.to_owned() };
    becomes("t: { a: 1, b: 2, c: 3 }\n", &[gone("b")], "t: { a: 1, c: 3 }\n");
    becomes("t: { a: 1, b: 2 }\n", &[gone("a")], "t: { b: 2 }\n");
    becomes("t:\n  a: 1\n  b:\n  - 2\nc: 3\n", &[gone("b")], "t:\n  a: 1\nc: 3\n");
}

#[test]
fn json_stays_json() {
    becomes(
        "{\n  \"a\": [\n    { \"x\": 1 }\n  ]\n}\n",
        &[insert("a", false, json!({ "k": 2 })), set("", "b", json!(true))],
        "{\n  \"a\": [\n    { \"x\": 1 },\n    {\"k\":2}\n  ],\n  \"b\": true\n}\n",
    );
    let long = json!({ "k": "x".repeat(90) });
    let new = apply("{\"a\":[]}", &[insert("a", false, long.clone())]).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&new).unwrap(), json!({ "a": [long] }));
}

#[test]
fn scalars_stay_as_they_are_written() {
    let text = "m: 0660\ny: yes\nt: !!str 12\ne: 1e3\no: 017\nd: 0.0s # c\nl:\n- a\n";
    becomes(text, &[insert("l", false, json!("b"))], &format!("{text}- b\n"));
}

#[test]
fn anchors_of_ours_are_none_of_the_users() {
    let shared = json!({ "k": "x".repeat(99) });
    let item = json!([{ "sds_config": shared }, { "sds_config": shared }]);
    let text = "a: &sds_config 1\nl:\n- a\nb: *sds_config\n";
    let new = apply(text, &[Edit::Insert { list: "l".into(), first: false, items: item.as_array().unwrap().clone() }])
        .unwrap();
    assert!(new.contains("&sds_config_2") && new.contains("*sds_config_2"), "{new}");
}

#[test]
fn a_part_of_the_text_is_repeated_as_it_is_written() {
    let copied = json!({ "name": "new", "f": copy_of("l[0].f") });
    becomes(
        "l:\n- name: x\n  f:\n  # the first\n  - mode: 0660 # why\n    k: &k yes\nz: *k\n",
        &[insert("l", false, copied.clone())],
        "l:\n- name: x\n  f:\n  # the first\n  - mode: 0660 # why\n    k: &k yes\n- { name: new, f: [{ mode: 0660, k: yes }] }\nz: *k\n",
    );
    becomes(
        "a: { f: [1, 2] } # why\nl: []\n",
        &[insert("l", false, json!({ "f": copy_of("a.f") })), insert("l", false, json!({ "a": copy_of("a") }))],
        "a: { f: [1, 2] } # why\nl:\n  - { f: [1, 2] }\n  - { a: { f: [1, 2] } }\n",
    );
    becomes(
        "{\"l\": [{\"f\": [1, {\"a\": 2}]}]}",
        &[insert("l", false, copied)],
        "{\"l\": [{\"f\": [1, {\"a\": 2}]}, {\"f\":[1, {\"a\": 2}],\"name\":\"new\"}]}",
    );
}

#[test]
fn a_path_that_leads_nowhere_is_reported() {
    assert_eq!(apply("a: 1\n", &[set("b", "k", json!(1))]), Err(Unfit::Nowhere("b".to_owned())));
    assert_eq!(apply("a: 1\n", &[insert("a", true, json!(1))]), Err(Unfit::Nowhere("a".to_owned())));
}

/// A source of random choices for layouts and edits.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % u64::try_from(sides).unwrap()).unwrap()
    }

    fn is(&mut self, one_of: usize) -> bool {
        self.roll(one_of) == 0
    }
}

/// Writes a tree in a random layout.
struct Typist {
    dice: Dice,
    text: String,
    comments: usize,
    anchors: usize,
    /// The anchors that aliases may name: their nodes have ended.
    ended: Vec<usize>,
    line_break: &'static str,
}

const SCALARS: [&str; 16] = [
    "x",
    "yes",
    "0660",
    "017",
    "1e3",
    "10.0.0.1",
    "!!str 12",
    "~",
    "",
    "'it''s'",
    "\"a\\tb\"",
    "0.5s",
    "\"#\"",
    "a b",
    "-1",
    "http://x/#y",
];

impl Typist {
    fn comment(&mut self) -> String {
        self.comments += 1;
        format!("# c{}", self.comments)
    }

    fn end_line(&mut self) {
        if self.dice.is(5) {
            let comment = self.comment();
            self.text.push(' ');
            self.text.push_str(&comment);
        }
        self.text.push_str(self.line_break);
        if self.dice.is(12) {
            self.text.push_str(self.line_break);
        }
    }

    fn comment_line(&mut self, column: usize) {
        if self.dice.is(6) {
            let comment = self.comment();
            self.text.extend(std::iter::repeat_n(' ', column));
            self.text.push_str(&comment);
            self.text.push_str(self.line_break);
        }
    }

    fn alias(&mut self) -> Option<String> {
        if self.ended.is_empty() || !self.dice.is(5) {
            return None;
        }
        let index = self.dice.roll(self.ended.len());
        Some(format!("*a{}", self.ended[index]))
    }

    fn anchor(&mut self) -> Option<usize> {
        if !self.dice.is(5) {
            return None;
        }
        self.anchors += 1;
        self.text.push_str(&format!(" &a{}", self.anchors));
        Some(self.anchors)
    }

    /// Writes the value after a key's colon or a dash.
    fn value(&mut self, column: usize, depth: usize, is_item: bool) {
        if let Some(alias) = self.alias() {
            self.text.push(' ');
            self.text.push_str(&alias);
            self.end_line();
            return;
        }
        let kind = self.dice.roll(if depth == 0 { 4 } else { 10 });
        match kind {
            0 | 1 => {
                let scalar = SCALARS[self.dice.roll(SCALARS.len())];
                let anchor = if scalar.starts_with('!') { None } else { self.anchor() };
                if !scalar.is_empty() {
                    self.text.push(' ');
                }
                self.text.push_str(scalar);
                self.end_line();
                self.ended.extend(anchor);
            }
            2 => {
                let header = ["|", "|-", ">", ">-"][self.dice.roll(4)];
                self.text.push_str(&format!(" {header}{}", self.line_break));
                for line in ["one: 1", "  # two", "", "three"] {
                    let indent = if line.is_empty() { 0 } else { column + 2 };
                    self.text.push_str(&format!("{}{line}{}", " ".repeat(indent), self.line_break));
                }
                if self.dice.is(3) {
                    self.text.push_str(self.line_break);
                }
            }
            3 => {
                self.text.push(' ');
                self.flow(depth.min(2), column + 2);
                self.end_line();
            }
            4..=6 => {
                let is_inline = is_item && self.dice.is(2);
                let anchor = if is_inline { None } else { self.anchor() };
                if is_inline {
                    self.text.push(' ');
                } else {
                    self.end_line();
                }
                let step = 2 + usize::from(!is_inline) * self.dice.roll(3);
                self.table(column + if is_inline { 2 } else { step }, depth - 1, is_inline);
                self.ended.extend(anchor);
            }
            _ => {
                let anchor = self.anchor();
                self.end_line();
                let step = if is_item || anchor.is_some() { 2 } else { self.dice.roll(2) * 2 };
                self.list(column + step, depth - 1);
                self.ended.extend(anchor);
            }
        }
    }

    fn table(&mut self, column: usize, depth: usize, mut is_inline: bool) {
        for key in 0..=self.dice.roll(3) {
            if !std::mem::take(&mut is_inline) {
                self.comment_line(column);
                self.text.extend(std::iter::repeat_n(' ', column));
            }
            let quote = if self.dice.is(5) { "\"" } else { "" };
            self.text.push_str(&format!("{quote}k{key}{quote}:"));
            self.value(column, depth, false);
        }
    }

    fn list(&mut self, column: usize, depth: usize) {
        for _ in 0..=self.dice.roll(3) {
            self.comment_line(column);
            self.text.extend(std::iter::repeat_n(' ', column));
            self.text.push('-');
            self.value(column, depth, true);
        }
    }

    fn flow(&mut self, depth: usize, column: usize) {
        let count = self.dice.roll(4);
        let is_long = self.dice.is(4);
        let is_list = self.dice.is(2);
        self.text.push(if is_list { '[' } else { '{' });
        for index in 0..count {
            if is_long {
                self.text.push_str(&format!("{}{}", self.line_break, " ".repeat(column)));
            } else if self.dice.is(2) {
                self.text.push(' ');
            }
            if !is_list {
                self.text.push_str(&format!("k{index}: "));
            }
            let scalars = ["1", "'q,'", "\"z\"", "word", "a b"];
            match (self.alias(), self.dice.roll(if depth == 0 { 1 } else { 3 })) {
                (Some(alias), _) => self.text.push_str(&format!("{alias} ")),
                (None, 2) => self.flow(depth - 1, column + 2),
                _ => {
                    let index = self.dice.roll(scalars.len());
                    self.text.push_str(scalars[index]);
                }
            }
            if index + 1 < count || self.dice.is(6) {
                self.text.push(',');
            }
        }
        if is_long {
            self.text.push_str(&format!("{}{}", self.line_break, " ".repeat(column)));
        }
        self.text.push(if is_list { ']' } else { '}' });
    }
}

fn document(seed: u64) -> String {
    let mut dice = Dice(seed | 1);
    for _ in 0..8 {
        dice.roll(2);
    }
    let line_break = if dice.is(6) { "\r\n" } else { "\n" };
    let mut typist = Typist { dice, text: String::new(), comments: 0, anchors: 0, ended: Vec::new(), line_break };
    if typist.dice.is(8) {
        typist.text.push_str("---\n");
    }
    typist.table(0, 4, false);
    if typist.dice.is(4) {
        let end = typist.text.trim_end().len();
        typist.text.truncate(end);
    }
    typist.text
}

/// Every path of a list or an object, with the keys of the latter.
fn paths(node: &Node, path: String, found: &mut Vec<(String, Option<Vec<String>>)>) {
    if found.len() > 500 {
        return;
    }
    match &node.kind {
        Kind::List(items) => {
            found.push((path.clone(), None));
            items.iter().enumerate().for_each(|(index, item)| paths(item, format!("{path}[{index}]"), found));
        }
        Kind::Table(entries) => {
            found.push((path.clone(), Some(entries.iter().map(|entry| entry.key.clone()).collect())));
            let dot = if path.is_empty() { "" } else { "." };
            entries.iter().for_each(|entry| paths(&entry.value, format!("{path}{dot}{}", entry.key), found));
        }
        Kind::Nothing | Kind::Scalar(_) => {}
    }
}

fn edits(dice: &mut Dice, top: &Rc<Node>) -> Vec<Edit> {
    let mut all = Vec::new();
    paths(top, String::new(), &mut all);
    let mut edits: Vec<Edit> = Vec::new();
    for number in 0..=dice.roll(3) {
        let (path, keys) = all[dice.roll(all.len())].clone();
        let value = json!({ "name": format!("new{number}"), "list": [1, "x".repeat(dice.roll(90))] });
        let edit = match keys {
            None => insert(&path, dice.is(2), value),
            Some(keys) if !keys.is_empty() && dice.is(3) => {
                replace(&path, &keys[dice.roll(keys.len())], &format!("new{number}"), value)
            }
            Some(_) => set(&path, &format!("new{number}"), value),
        };
        // Removed parts are not edited.
        let is_in = |one: &Edit, other: &Edit| {
            let taken = other.taken().map(|key| format!("{}.{key}", other.path()).trim_start_matches('.').to_owned());
            taken.is_some_and(|taken| {
                one.path() == taken
                    || one.path().starts_with(&format!("{taken}."))
                    || one.path().starts_with(&format!("{taken}["))
            }) || one.path() == other.path() && one.taken().is_some() && one.taken() == other.taken()
        };
        if !edits.iter().any(|other| is_in(&edit, other) || is_in(other, &edit)) {
            edits.push(edit);
        }
    }
    edits
}

/// The text without what an edit may change around itself: white space, brackets, dashes, absent values and aliases.
fn essence(text: &str) -> Vec<char> {
    let mut essence = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if (c == '*' || c == '&') && rest.starts_with('a') {
            rest = rest.trim_start_matches(char::is_alphanumeric);
        } else if !c.is_whitespace() && !"[]{}-~".contains(c) {
            essence.push(c);
        }
    }
    essence.chars().collect()
}

fn judge(seed: u64) {
    let text = document(seed);
    let Some(top) = tree(&text).filter(|top| top.value().is_some()) else { return };
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let edits = edits(&mut dice, &top);
    let new = apply(&text, &edits);
    let Ok(new) = new else { panic!("{seed}: {new:?}\n{text}\n{edits:?}") };
    if edits.iter().all(|edit| edit.taken().is_none()) {
        let after = essence(&new);
        let mut left = after.iter();
        let lost = essence(&text).into_iter().find(|c| !left.any(|other| other == c));
        assert!(lost.is_none(), "{seed}: {lost:?} is lost\n{text}\n{new}");
    }
}

/// Number of texts to edit.
const SEEDS: u64 = 3000;

#[test]
fn what_is_not_ours_stays_in_every_layout() {
    for seed in 1..=SEEDS {
        judge(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    }
}

#[test]
fn what_a_key_without_a_value_is_set_to_stands_below_it() {
    let to = |value: Value| set("a", "b", value);
    becomes("a:\n  c: 1\n  b: # later\n", &[to(json!(["x"]))], "a:\n  c: 1\n  b: # later\n    - x\n");
    becomes("a:\n  b:\n  c: 1\n", &[to(json!({ "k": 1 }))], "a:\n  b:\n    k: 1\n  c: 1\n");
    becomes("a: { b: , c: 1 }\n", &[to(json!(2))], "a: { b: 2 , c: 1 }\n");
    becomes("b:\n", &[set("", "b", json!(["x"]))], "b:\n  - x\n");
}

#[test]
fn a_message_that_becomes_a_list_is_one_in_copies_too() {
    let edits = [
        insert("l", false, json!({ "name": "new", "f": copy_of("l.f") })),
        insert("l.f.h", true, json!({ "name": "first" })),
    ];
    becomes(
        "l:\n  f: { h: { name: last } }\n",
        &edits,
        "l:\n- f: { h: [{ name: first }, { name: last }] }\n- { name: new, f: { h: [{ name: last }] } }\n",
    );
}
