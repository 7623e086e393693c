//! The tree of a text, with positions: a mistake has a line, and an edit has a span.
//!
//! [`read`] gives one [`Node`] per document; [`At`] walks in it and knows its path. An alias has a node of its own,
//! with the position of the alias, and shares the content with its anchor, so that no text can grow beyond its bounds.
//! Many texts are messages in protobuf's JSON form, so a field is found by both of its names: `static_resources` and
//! `staticResources`.

mod at;
mod node;
mod read;
mod scalar;

pub use at::At;
pub use node::{Entry, Kind, Node};
pub use read::{Broken, read};
pub(crate) use scalar::is_no_text;

#[cfg(test)]
mod tests;
