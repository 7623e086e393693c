//! Values without comments and references.

use serde_json::{Map, Value};

use super::marks::Marks;
use super::style::Style;

/// Removes all comments, and resolves the references of [`same`](super::same): for uses other than text.
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
