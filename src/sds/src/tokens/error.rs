//! Errors of token files.

use base::files::FileError;
use std::fmt;

/// Length of the shortest valid token, in bytes: one that can't be guessed.
pub(super) const MIN_TOKEN: usize = 16;

/// Length of the longest valid token, in bytes: somewhat less than Envoy takes in a header.
pub(super) const MAX_TOKEN: usize = 4096;

/// The most tokens in a file: each is compared with the token of every stream and request.
pub(super) const MAX_TOKENS: usize = 1000;

/// Reason why a file has no usable tokens.
#[derive(Debug)]
pub enum TokenError {
    /// The file is empty.
    Empty,
    /// The file can't be read or made.
    File(FileError),
    /// A line is not a token.
    Line {
        /// The line's number, from 1 on.
        number: usize,
        /// The fault of the line.
        why: Unfit,
    },
    /// The system gives no random bytes.
    NoRandomness,
    /// The file has more tokens than any honest one.
    TooMany,
}

/// The fault of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The text after the token is not a name.
    Name,
    /// Names follow a token of the API.
    Names,
    /// The token is a placeholder that was never filled in.
    Placeholder,
    /// The token is too short, too long, or can't stand in a header.
    Token,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => {
                write!(f, "found no token, expected a line of {MIN_TOKEN} or more printable ASCII characters")
            }
            Self::File(error) => error.fmt(f),
            Self::Line { number, why } => write!(f, "line {number}: {why}"),
            Self::NoRandomness => f.write_str("the system gives no random bytes"),
            Self::TooMany => write!(f, "expected at most {MAX_TOKENS} tokens"),
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("expected a DNS name, an IP address or *.DOMAIN after the token"),
            Self::Names => f.write_str("expected the token alone: one of the API is for all of it"),
            Self::Placeholder => f.write_str("found a placeholder that is not filled in, expected the token itself"),
            Self::Token => write!(f, "expected a token of {MIN_TOKEN} to {MAX_TOKEN} printable ASCII characters"),
        }
    }
}

impl std::error::Error for TokenError {}
