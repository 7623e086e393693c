//! The error of a provider.
//!
//! Promises: one line, bounded, without a secret; whether a retry helps is told by type, not by text.

use std::fmt;

use acme::one_line;

/// The error of creating or removing a record, or of finding a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderError {
    kind: Kind,
    provider: String,
    why: String,
}

/// The cause, and so the party that has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A wrong code or variable of the user's.
    Configuration,
    /// A temporary failure: a retry may succeed.
    Failed,
    /// A refusal by the provider, which stays until somebody changes something there.
    Refused,
}

impl ProviderError {
    pub(super) fn configuration(provider: &str, why: impl fmt::Display) -> Self {
        Self::new(Kind::Configuration, provider, why)
    }

    pub(super) fn failed(provider: &str, why: impl fmt::Display) -> Self {
        Self::new(Kind::Failed, provider, why)
    }

    pub(super) fn refused(provider: &str, why: impl fmt::Display) -> Self {
        Self::new(Kind::Refused, provider, why)
    }

    fn new(kind: Kind, provider: &str, why: impl fmt::Display) -> Self {
        Self { kind, provider: one_line(provider), why: why.to_string() }
    }

    /// True if the error stays until somebody changes something: retrying soon is useless.
    pub fn is_permanent(&self) -> bool {
        match self.kind {
            Kind::Configuration | Kind::Refused => true,
            Kind::Failed => false,
        }
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DNS provider {}: {}", self.provider, self.why)
    }
}

impl std::error::Error for ProviderError {}
