//! The style of a text.

use serde_json::Value;

/// The keys that are written in a special way.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Keys that come before their siblings, in this order. Keys in neither list are in between, sorted by name.
    pub first: &'static [&'static str],
    /// Keys that come after their siblings, in this order.
    pub last: &'static [&'static str],
    /// Keys whose repeated values get an anchor at the first occurrence, and aliases after it.
    pub shared: &'static [&'static str],
}

impl Style {
    /// The sort key of a key among its siblings.
    pub(super) fn rank<'k>(&self, key: &'k str) -> (usize, usize, &'k str) {
        let first = self.first.iter().position(|first| *first == key).unwrap_or(self.first.len());
        let last = self.last.iter().position(|last| *last == key).map_or(0, |index| index.saturating_add(1));
        (last, first, key)
    }

    /// True if a repeated value under this key is written once.
    pub(super) fn is_shareable(&self, key: &str, value: &Value) -> bool {
        self.shared.contains(&key) && matches!(value, Value::Array(_) | Value::Object(_))
    }
}

/// The style of the crate's tests.
#[cfg(test)]
pub(crate) const TESTED: Style =
    Style { first: &["name"], last: &["clusters", "filter_chains"], shared: &["code", "sds_config"] };
