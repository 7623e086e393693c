//! A change of the text, and why it can't be made.

use std::slice;

use serde_json::Value;

/// A change.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Inserts items at an end of the list at this path; a single message there becomes the list's first item.
    Insert {
        /// The list's path.
        list: String,
        /// True to insert before the first item rather than after the last one.
        first: bool,
        /// The items.
        items: Vec<Value>,
    },
    /// Sets a member that the object at this path does not have, or that has no value there.
    Set {
        /// The object's path; empty for the whole.
        table: String,
        /// The member's key.
        key: String,
        /// The value.
        value: Value,
    },
    /// Replaces a member.
    Replace {
        /// The object's path.
        table: String,
        /// The key of the old member.
        old: String,
        /// The key of the new member.
        key: String,
        /// The value.
        value: Value,
    },
    /// Removes a member.
    Remove {
        /// The object's path.
        table: String,
        /// The member's key.
        key: String,
    },
}

impl Edit {
    /// The items or the value that the edit brings.
    pub fn values_mut(&mut self) -> &mut [Value] {
        match self {
            Self::Insert { items, .. } => items,
            Self::Set { value, .. } | Self::Replace { value, .. } => slice::from_mut(value),
            Self::Remove { .. } => &mut [],
        }
    }

    /// The path of the list or the object that is changed.
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Insert { list, .. } => list,
            Self::Set { table, .. } | Self::Replace { table, .. } | Self::Remove { table, .. } => table,
        }
    }

    pub(super) fn path_mut(&mut self) -> &mut String {
        match self {
            Self::Insert { list, .. } => list,
            Self::Set { table, .. } | Self::Replace { table, .. } | Self::Remove { table, .. } => table,
        }
    }

    /// The key of the member that is removed from the object, if any.
    pub(super) fn taken(&self) -> Option<&str> {
        match self {
            Self::Replace { old, .. } => Some(old),
            Self::Remove { key, .. } => Some(key),
            Self::Insert { .. } | Self::Set { .. } => None,
        }
    }

    /// True if both are the same change, made at other paths.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let mut moved = other.clone();
        self.path().clone_into(moved.path_mut());
        *self == moved
    }
}

/// The reason why a text could not be edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// No node, or one of another kind, is at this path.
    Nowhere(String),
    /// The text's layout has no room for any form of the changes.
    Unwritable,
}
