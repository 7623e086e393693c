//! Values in flow style: on one line.

use serde_json::Value;

use super::marks::Marks;
use super::scalar::scalar;
use super::style::Style;

/// The value in flow style.
pub(super) fn flow(value: &Value, style: &Style, marks: Marks) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().filter(|(key, value)| !marks.is_comment(key, value)).collect();
            if entries.is_empty() {
                return "{}".to_owned();
            }
            entries.sort_by_key(|(key, _)| style.rank(key));
            let entry = |(key, value): (&String, &Value)| format!("{}: {}", scalar(key), flow(value, style, marks));
            let entries: Vec<String> = entries.into_iter().map(entry).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::Array(list) => {
            format!("[{}]", list.iter().map(|item| flow(item, style, marks)).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => scalar(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// True if the value fits in this width in flow style; a large value is not written completely.
pub(super) fn fits(value: &Value, room: usize) -> bool {
    fn left(value: &Value, room: usize) -> Option<usize> {
        match value {
            Value::Object(map) => map.iter().try_fold(room.checked_sub(4)?, |room, (key, value)| {
                left(value, room.checked_sub(key.len().saturating_add(4))?)
            }),
            Value::Array(list) => {
                list.iter().try_fold(room.checked_sub(2)?, |room, item| left(item, room.checked_sub(2)?))
            }
            Value::String(text) => (!text.contains('\n')).then(|| room.checked_sub(text.len()))?,
            Value::Null | Value::Bool(_) | Value::Number(_) => room.checked_sub(5),
        }
    }
    left(value, room).is_some()
}
