//! A value of the configuration with its path, for mistakes.

use std::cell::RefCell;

use serde_json::{Map, Value};

use super::mistake::{Mistake, listed, nearest, shortened};

/// A value and its path. The path is fit for a log: keys are escaped and shortened, since some are the user's own.
#[derive(Clone)]
pub(super) struct Node<'a> {
    path: String,
    value: &'a Value,
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self { path: String::new(), value }
    }

    fn child(&self, key: &str, value: &'a Value) -> Self {
        let key = shortened(key);
        let path = if self.path.is_empty() { key } else { format!("{}.{key}", self.path) };
        Self { path, value }
    }

    pub(super) fn path(&self) -> &str {
        if self.path.is_empty() { "configuration" } else { &self.path }
    }

    /// A mistake about this value.
    pub(super) fn mistake(&self, expected: &str) -> Mistake {
        Mistake { path: self.path().to_owned(), found: shown(self.value), expected: expected.to_owned(), nearest: None }
    }

    /// A mistake about this text in the value.
    pub(super) fn mistake_in_text(&self, text: &str, expected: &str) -> Mistake {
        Mistake { found: quoted(text), ..self.mistake(expected) }
    }

    /// A mistake about the key of this value.
    pub(super) fn mistake_in_key(&self, expected: &str) -> Mistake {
        Mistake { found: "this key".to_owned(), ..self.mistake(expected) }
    }

    /// The value, if it is an object.
    pub(super) fn table(&self, mistakes: &mut Vec<Mistake>) -> Option<Table<'a>> {
        let Value::Object(map) = self.value else {
            mistakes.push(self.mistake("an object"));
            return None;
        };
        Some(Table { node: self.clone(), map, known: RefCell::default() })
    }

    /// The members of an object with user-defined keys.
    pub(super) fn entries(&self, mistakes: &mut Vec<Mistake>) -> Vec<(String, Node<'a>)> {
        let Some(Table { map, .. }) = self.table(mistakes) else { return Vec::new() };
        map.iter().map(|(key, value)| (key.clone(), self.child(key, value))).collect()
    }

    /// The keys of an object; none for any other value.
    pub(super) fn keys(&self) -> Vec<String> {
        self.value.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default()
    }

    /// True for an object without members.
    pub(super) fn is_empty_table(&self) -> bool {
        self.value.as_object().is_some_and(Map::is_empty)
    }

    /// The items of a list.
    pub(super) fn items(&self, expected: &str, mistakes: &mut Vec<Mistake>) -> Vec<Node<'a>> {
        let Value::Array(items) = self.value else {
            mistakes.push(self.mistake(expected));
            return Vec::new();
        };
        let path = |index: usize| format!("{}[{index}]", self.path);
        items.iter().enumerate().map(|(index, value)| Node { path: path(index), value }).collect()
    }

    /// The value, if it is a text that is not empty and has no control characters but line breaks and tabs.
    pub(super) fn text(&self, expected: &str, mistakes: &mut Vec<Mistake>) -> Option<String> {
        match self.value {
            Value::String(text) if !text.trim().is_empty() && !text.contains(is_unprintable) => {
                Some(text.trim().to_owned())
            }
            _ => {
                mistakes.push(self.mistake(expected));
                None
            }
        }
    }

    /// The choice with the value's name, from a list.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)], mistakes: &mut Vec<Mistake>) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let index = self.index_in(&names, mistakes)?;
        choices.get(index).map(|(_, choice)| *choice)
    }

    /// The index of the text in a list of words.
    fn index_in(&self, words: &[&str], mistakes: &mut Vec<Mistake>) -> Option<usize> {
        let word = self.value.as_str().unwrap_or_default();
        let found = words.iter().position(|known| *known == word);
        if found.is_none() {
            let expected = format!("one of {}", listed(words.iter().copied()));
            mistakes.push(Mistake { nearest: nearest(word, words.iter().copied()), ..self.mistake(&expected) });
        }
        found
    }

    /// The value as a whole number within bounds; also a decimal without a fraction, since a Protobuf Struct has no
    /// other numbers.
    pub(super) fn whole(&self, least: u64, most: u64, mistakes: &mut Vec<Mistake>) -> Option<u64> {
        let number = whole_number(self.value).filter(|number| (least..=most).contains(number));
        if number.is_none() {
            mistakes.push(self.mistake(&format!("a whole number from {least} to {most}")));
        }
        number
    }

    /// The value as a boolean; also the words, since command lines and environments have only texts.
    pub(super) fn flag(&self, mistakes: &mut Vec<Mistake>) -> Option<bool> {
        let flag = match self.value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        if flag.is_none() {
            mistakes.push(self.mistake("true or false"));
        }
        flag
    }

    /// The texts of a list.
    pub(super) fn texts(&self, expected: &str, mistakes: &mut Vec<Mistake>) -> Vec<String> {
        self.items(expected, mistakes).iter().filter_map(|node| node.text("a text", mistakes)).collect()
    }

    pub(super) fn value(&self) -> &'a Value {
        self.value
    }
}

/// A whole number that is not negative.
pub(super) fn whole_number(value: &Value) -> Option<u64> {
    /// Above this a double does not hold every whole number.
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    value.as_u64().or_else(|| {
        let number = value.as_f64().filter(|number| (0.0..=MAX_EXACT).contains(number) && number.fract() == 0.0)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and within bounds")]
        Some(number as u64)
    })
}

/// An object with fixed keys: each is taken once, and the remaining ones are unknown.
pub(super) struct Table<'a> {
    node: Node<'a>,
    map: &'a Map<String, Value>,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Table<'a> {
    /// The member with this key. `null` counts as absent, as in YAML.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Node<'a>> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        self.map.get(key).filter(|value| !value.is_null()).map(|value| self.node.child(key, value))
    }

    /// A mistake about a missing key.
    pub(super) fn missing(&self, key: &str, expected: &str) -> Mistake {
        let path = self.node.child(key, self.node.value).path;
        Mistake { path, found: "nothing".to_owned(), expected: expected.to_owned(), nearest: None }
    }

    /// Reports all keys that were not taken.
    pub(super) fn finish(self, mistakes: &mut Vec<Mistake>) {
        let known = self.known.into_inner();
        for (key, value) in self.map.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            let expected = format!("one of the keys {}", listed(known.iter().copied()));
            let nearest = nearest(key, known.iter().copied());
            let mistake = self.node.child(key, value).mistake(&expected);
            mistakes.push(Mistake { nearest, found: "an unknown key".to_owned(), ..mistake });
        }
    }
}

fn is_unprintable(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

/// A shortened text in quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", shortened(text))
}

/// A wrong value for a mistake: with its type, on one line, shortened.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.trim().is_empty() => "an empty text".to_owned(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}
