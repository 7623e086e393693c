//! Writes a configuration as readable YAML: comments, important keys first, short values on one line, and repeated
//! values as aliases.
//!
//! [`write()`] takes a text under the key `#` of a mapping as a comment above it, and `{"*": key}` as a reference to a
//! mapping elsewhere; [`write_beside`] gives no key a special meaning. A text is written so that every reader reads
//! that very text, and no comment changes the content. (The crates that write YAML write types; they support comments
//! after scalars only.)

mod flow;
mod lines;
mod marks;
mod plain;
mod scalar;
mod shared;
mod style;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::Value;

use marks::Marks;
pub use marks::{comment, same};
pub use plain::plain;
pub use style::Style;
#[cfg(test)]
pub(crate) use style::TESTED;

/// The text of a value of ours, with a final line break.
pub fn write(value: &Value, style: &Style) -> String {
    lines::text(value, style, Marks::Ours, &mut BTreeSet::new())
}

/// The text of a foreign value within a text that has these anchors; new anchors are added to the set.
pub(crate) fn write_beside(value: &Value, style: &Style, anchors: &mut BTreeSet<String>) -> String {
    lines::text(value, style, Marks::None, anchors)
}

/// The text of a foreign value in flow style.
pub(crate) fn flow(value: &Value, style: &Style) -> String {
    flow::flow(value, style, Marks::None)
}
