//! Percent-encoding of values in queries.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Whatever RFC 3986 §2.3 does not leave as it is.
const IN_A_QUERY: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as it stands in a query.
pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, &IN_A_QUERY).collect()
}
