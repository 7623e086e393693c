//! Comments and references within a value, which JSON has no form for: members with the keys `#` and `*`.

use serde_json::{Map, Value, json};

/// Key of comments.
const COMMENT: &str = "#";

/// Key of a reference to another mapping: see [`same`].
const SAME: &str = "*";

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

/// The meaning of the keys `#` and `*`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Marks {
    /// Comments and references, in values of ours.
    Ours,
    /// Ordinary keys, in foreign values.
    None,
}

impl Marks {
    /// The comment of a mapping.
    pub(super) fn comment(self, value: &Value) -> Option<&str> {
        value.get(COMMENT).and_then(Value::as_str).filter(|_| self == Self::Ours)
    }

    /// True if this member of a mapping is its comment.
    pub(super) fn is_comment(self, key: &str, value: &Value) -> bool {
        self == Self::Ours && key == COMMENT && value.is_string()
    }

    /// The key that a reference names.
    pub(super) fn same_key(self, value: &Value) -> Option<&str> {
        let map = value.as_object().filter(|map| self == Self::Ours && map.len() == 1)?;
        map.get(SAME)?.as_str()
    }

    /// True if a mapping has nothing but a comment.
    pub(super) fn is_bare(self, map: &Map<String, Value>) -> bool {
        map.iter().all(|(key, value)| self.is_comment(key, value))
    }
}
