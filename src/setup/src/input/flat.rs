//! Dotted names with values, as flags and environment variables have them, as a tree.

use serde_json::{Map, Value};

use super::shape::{CONFIGURATION, Shape};

/// The deepest name. Traefik's own go to eight.
const MAX_DEPTH: usize = 24;

/// What can't be put into a tree.
pub(crate) struct Clash {
    pub(crate) found: &'static str,
    pub(crate) expected: &'static str,
}

/// Puts a value into the tree. `a.b[0].c` is the same as `a.b.[0].c`; keys that differ in case only are the same, as
/// in Traefik, and the first spelling stays. A list that is given again goes on; any other value is replaced.
pub(crate) fn put(tree: &mut Map<String, Value>, name: &str, value: &str) -> Result<(), Clash> {
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
    let Some((last, parents)) = keys.split_last() else { return Ok(()) };
    let is_list = matches!(shape_of(&keys), Some(Shape::List(_)));
    let mut tree = tree;
    for key in parents {
        let child = tree.entry(spelled(tree, key)).or_insert_with(|| Value::Object(Map::new()));
        if is_there(child) {
            *child = Value::Object(Map::new());
        }
        let Value::Object(members) = child else {
            return Err(Clash { found: "a value and parts of it", expected: "one or the other" });
        };
        tree = members;
    }
    match tree.entry(spelled(tree, last)).or_insert(Value::Null) {
        Value::String(before) if is_list => {
            before.push(',');
            before.push_str(value);
        }
        // The parts of an object say that it is there.
        Value::Object(_) if super::canonical::go_flag(value) == Some(true) => {}
        Value::Object(_) => return Err(Clash { found: "a value and parts of it", expected: "one or the other" }),
        place => *place = Value::String(value.to_owned()),
    }
    Ok(())
}

/// What the configuration has at this place.
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

/// The key as it stands there already.
fn spelled(tree: &Map<String, Value>, key: &str) -> String {
    if tree.contains_key(key) {
        return key.to_owned();
    }
    tree.keys().find(|known| known.eq_ignore_ascii_case(key)).cloned().unwrap_or_else(|| key.to_owned())
}

/// `--a` or `--a=true`, to which `--a.b=c` may be added.
fn is_there(value: &Value) -> bool {
    value.as_str().and_then(super::canonical::go_flag) == Some(true)
}
