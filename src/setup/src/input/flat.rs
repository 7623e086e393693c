//! Dotted names with values, as flags and environment variables have them, as a tree.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::canonical::go_flag;
use super::shape::{CONFIGURATION, Shape};

/// Maximum depth of a name. Traefik's own go to eight.
const MAX_DEPTH: usize = 24;

/// A value that can't be put into a tree.
pub(crate) struct Clash {
    pub(crate) found: &'static str,
    pub(crate) expected: &'static str,
}

impl Clash {
    const TWOFOLD: Self = Self { found: "a value and parts of it", expected: "one or the other" };
}

/// A tree that is built from dotted names.
#[derive(Default)]
pub(crate) struct Tree {
    root: Map<String, Value>,
    /// The first spelling of each key, by its path in lower case.
    spellings: HashMap<String, String>,
}

impl Tree {
    pub(crate) fn into_value(self) -> Value {
        Value::Object(self.root)
    }

    /// Puts a value into the tree. `a.b[0].c` is the same as `a.b.[0].c`. Keys that differ only in case are the same,
    /// as in Traefik, and the first spelling stays. A repeated list is appended to; any other value is replaced.
    pub(crate) fn put(&mut self, name: &str, value: &str) -> Result<(), Clash> {
        let keys = keys(name)?;
        let is_list = matches!(shape_of(&keys), Some(Shape::List(_)));
        let Some((last, parents)) = keys.split_last() else { return Ok(()) };
        let mut tree = &mut self.root;
        let mut path = String::new();
        let mut spelled = |key: &str| {
            path.push('.');
            path.push_str(&key.to_ascii_lowercase());
            self.spellings.entry(path.clone()).or_insert_with(|| key.to_owned()).clone()
        };
        for key in parents {
            let child = tree.entry(spelled(key)).or_insert_with(|| Value::Object(Map::new()));
            if is_there(child) {
                *child = Value::Object(Map::new());
            }
            let Value::Object(members) = child else { return Err(Clash::TWOFOLD) };
            tree = members;
        }
        match tree.entry(spelled(last)).or_insert(Value::Null) {
            Value::String(before) if is_list => {
                before.push(',');
                before.push_str(value);
            }
            // The object exists already: its fields were given.
            Value::Object(_) if go_flag(value) == Some(true) => {}
            Value::Object(_) => return Err(Clash::TWOFOLD),
            old => *old = Value::String(value.to_owned()),
        }
        Ok(())
    }
}

/// The keys of a name.
fn keys(name: &str) -> Result<Vec<&str>, Clash> {
    let mut keys: Vec<&str> = Vec::new();
    for part in name.split('.') {
        let (key, index) = match part.find('[') {
            Some(bracket) if bracket > 0 => part.split_at(bracket),
            _ => (part, ""),
        };
        if key.is_empty() || (!index.is_empty() && !index.ends_with(']')) {
            return Err(Clash { found: "a name with an empty part", expected: "names joined by dots, as a.b[0].c" });
        }
        keys.push(key);
        keys.extend(Some(index).filter(|index| !index.is_empty()));
    }
    if keys.len() > MAX_DEPTH {
        return Err(Clash { found: "a name of too many parts", expected: "a name of Traefik's configuration" });
    }
    Ok(keys)
}

/// The shape of the configuration at this path.
pub(crate) fn shape_of(keys: &[&str]) -> Option<&'static Shape> {
    let mut shape: &Shape = &CONFIGURATION;
    for key in keys {
        shape = match shape {
            Shape::Table(table) => &table.field(key)?.shape,
            Shape::Names(of) | Shape::List(of) => of,
            Shape::LeftOut { .. } => return Some(shape),
            _ => return None,
        };
    }
    Some(shape)
}

/// True for `--a` or `--a=true`, to which `--a.b=c` may be added.
fn is_there(value: &Value) -> bool {
    value.as_str().and_then(go_flag) == Some(true)
}
