//! A node in a tree, with its path.

use std::rc::Rc;

use acme::one_line;
use serde_json::Value;

use super::node::{Entry, Kind, Node};

/// A node, and the path that leads to it: `static_resources.listeners[0].name`.
#[derive(Clone, Debug)]
pub struct At<'a> {
    /// The name of the text: a file's.
    pub source: &'a str,
    /// The node.
    pub node: &'a Node,
    /// The path from the top; empty there.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
}

impl<'a> At<'a> {
    /// The top of a document.
    pub fn top(source: &'a str, node: &'a Node) -> Self {
        Self { source, node, path: String::new(), line: node.line }
    }

    /// The member of an object by its name in snake case, also where it is spelt in camel case. `null` counts as
    /// absent.
    pub fn get(&self, name: &str) -> Option<Self> {
        let Entry { key, line, value, .. } = self.entry(name)?;
        if value.kind == Kind::Nothing {
            return None;
        }
        Some(self.to(value, self.path_of(key), *line))
    }

    /// The entry with this name in snake case, also where it is spelt in camel case.
    pub fn entry(&self, name: &str) -> Option<&'a Entry> {
        let Kind::Table(entries) = &self.node.kind else { return None };
        entries.iter().find(|entry| entry.key == name).or_else(|| {
            let camel = name.contains('_').then(|| camel(name))?;
            entries.iter().find(|entry| entry.key == camel)
        })
    }

    /// The member under a path of several levels: `common_tls_context.validation_context`.
    pub fn find(&self, path: &str) -> Option<Self> {
        let mut at = self.clone();
        for name in path.split('.') {
            at = at.get(name)?;
        }
        Some(at)
    }

    /// True if something is under this path, even an empty object.
    pub fn entry_of(&self, path: &str) -> bool {
        match path.rsplit_once('.') {
            Some((above, name)) => self.find(above).is_some_and(|at| at.entry(name).is_some()),
            None => self.entry(path).is_some(),
        }
    }

    /// The items of a list; empty for any other kind.
    pub fn items(&self) -> Vec<Self> {
        let Kind::List(items) = &self.node.kind else { return Vec::new() };
        let item = |(index, node): (usize, &'a Rc<Node>)| self.to(node, format!("{}[{index}]", self.path), node.line);
        items.iter().enumerate().map(item).collect()
    }

    /// The items of the list with this name. A single value is its own only item, with the list's path: some readers
    /// of protobuf's JSON take one message for a list of one.
    pub fn list(&self, name: &str) -> Vec<Self> {
        let Some(list) = self.find(name) else { return Vec::new() };
        match &list.node.kind {
            Kind::List(_) => list.items(),
            Kind::Nothing => Vec::new(),
            Kind::Scalar(_) | Kind::Table(_) => vec![list],
        }
    }

    /// The members of an object.
    pub fn members(&self) -> Vec<(&'a str, Self)> {
        let Kind::Table(entries) = &self.node.kind else { return Vec::new() };
        let member =
            |entry: &'a Entry| (entry.key.as_str(), self.to(&entry.value, self.path_of(&entry.key), entry.line));
        entries.iter().map(member).collect()
    }

    /// The text; `None` for any other kind.
    pub fn text(&self) -> Option<&'a str> {
        match &self.node.kind {
            Kind::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The text under this path.
    pub fn text_of(&self, path: &str) -> Option<&'a str> {
        self.find(path)?.text()
    }

    /// The boolean under this path.
    pub fn flag_of(&self, path: &str) -> Option<bool> {
        match &self.find(path)?.node.kind {
            Kind::Scalar(Value::Bool(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// The number under this path; protobuf's JSON form writes large numbers as text.
    pub fn number_of(&self, path: &str) -> Option<u64> {
        match &self.find(path)?.node.kind {
            Kind::Scalar(Value::Number(number)) => number.as_u64(),
            Kind::Scalar(Value::String(text)) => text.parse().ok(),
            _ => None,
        }
    }

    /// The line of the node at a path below this one, or of the nearest node above it.
    ///
    /// The path is one that was made for people: a key in it may have dots.
    pub fn line_of(&self, path: &str) -> usize {
        let (mut node, mut line, mut rest) = (self.node, self.line, path);
        loop {
            rest = rest.trim_start_matches('.');
            let below = match &node.kind {
                Kind::List(items) => nth(items, rest).map(|(item, behind)| (item, item.line, behind)),
                Kind::Table(entries) => {
                    entries.iter().find_map(|entry| Some((entry.value.as_ref(), entry.line, after(rest, &entry.key)?)))
                }
                Kind::Nothing | Kind::Scalar(_) => None,
            };
            let Some(below) = below else { return line };
            (node, line, rest) = below;
        }
    }

    fn to(&self, node: &'a Node, path: String, line: usize) -> Self {
        Self { source: self.source, node, path, line }
    }

    /// The path of a member, present or not.
    pub fn path_of(&self, name: &str) -> String {
        let name = one_line(name);
        if self.path.is_empty() { name } else { format!("{}.{name}", self.path) }
    }
}

/// Splits a path that begins with an index, as `[1].name`, into the item and the rest of the path.
fn nth<'n, 'p>(items: &'n [Rc<Node>], path: &'p str) -> Option<(&'n Node, &'p str)> {
    let (index, behind) = path.strip_prefix('[')?.split_once(']')?;
    let item = items.get(index.parse::<usize>().ok()?)?;
    Some((item.as_ref(), behind))
}

/// The rest of a path behind a key.
fn after<'p>(path: &'p str, key: &str) -> Option<&'p str> {
    let behind = path.strip_prefix(key)?;
    (behind.is_empty() || behind.starts_with(['.', '['])).then_some(behind)
}

/// Converts `static_resources` to `staticResources`.
fn camel(snake: &str) -> String {
    let mut words = snake.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}
