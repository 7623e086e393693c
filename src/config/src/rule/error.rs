//! Errors in rules.

use std::fmt;

/// The position of a syntax error, and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The column in characters, from 1; one after the last if the rule ends too early.
    pub column: usize,
    /// The expected syntax, as part of a sentence.
    pub expected: String,
    /// The known matcher that is most similar to an unknown one, if any is similar.
    pub nearest: Option<String>,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at column {} {}", self.column, self.expected)
    }
}
