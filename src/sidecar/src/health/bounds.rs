//! The length of lists.

/// The most entries of a list; to mend the first ones is a start.
pub const MAX_LISTED: usize = 100;
