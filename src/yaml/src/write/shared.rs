//! Repeated values, which are written once.

use std::collections::BTreeSet;

use serde_json::Value;

use super::marks::Marks;
use super::style::Style;

/// Maximum number of different shared values: each value under such a key is compared with all of them.
const MAX_SHARED: usize = 16;

/// A value under one of the style's shared keys.
pub(super) struct Shared<'v> {
    key: &'v str,
    value: &'v Value,
    uses: usize,
    /// The name of the anchor, once the value is written.
    pub(super) anchor: Option<String>,
}

impl<'v> Shared<'v> {
    /// The values that occur more than once, or that a reference stands for.
    pub(super) fn all(value: &'v Value, style: &Style, marks: Marks) -> Vec<Self> {
        let mut counter = Counter { shared: Vec::new(), referred: BTreeSet::new(), style, marks };
        counter.count(value);
        for key in std::mem::take(&mut counter.referred) {
            if let Some(first) = counter.shared.iter_mut().find(|shared| shared.key == key) {
                first.uses = first.uses.saturating_add(1);
            }
        }
        counter.shared.retain(|shared| shared.uses > 1);
        counter.shared
    }

    /// True if this is the value under this key.
    pub(super) fn is(&self, key: &str, value: &Value) -> bool {
        self.key == key && self.value == value
    }
}

struct Counter<'v, 's> {
    shared: Vec<Shared<'v>>,
    /// The keys that references name.
    referred: BTreeSet<&'v str>,
    style: &'s Style,
    marks: Marks,
}

impl<'v> Counter<'v, '_> {
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
        if let Some(known) = self.shared.iter_mut().find(|shared| shared.is(key, value)) {
            known.uses = known.uses.saturating_add(1);
            return true;
        }
        if self.shared.len() < MAX_SHARED {
            self.shared.push(Shared { key, value, uses: 1, anchor: None });
        }
        false
    }
}
