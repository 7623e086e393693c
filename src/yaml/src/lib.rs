//! YAML as a tree with positions: read, written, and edited in place.
//!
//! - [`read`] parses a text into one tree of [`Node`]s per document; [`At`] walks in a tree and knows its path.
//! - [`write()`] makes a readable text of a value: with comments, important keys first, and repeated values as aliases.
//! - [`edit`] changes a text that somebody else laid out: everything else stays the same byte for byte.
//!
//! JSON is YAML: it is read and edited as well. Refused are texts that are too long or nested too deep, and objects with
//! a key twice. Text in, text out: nothing here opens a file or knows a key; those that are written in a special way are
//! the caller's [`Style`].

#![forbid(unsafe_code)]

pub mod edit;
mod tree;
mod write;

pub use tree::{At, Broken, Entry, Kind, Node, read};
pub use write::{Style, comment, plain, same, write};
