//! How much is listed.

/// The most entries of a list. Who has more to mend begins with these.
pub const MAX_LISTED: usize = 100;
