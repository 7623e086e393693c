//! Why a provider did not do it.
//!
//! Promises: one line, bounded, without a secret; whether trying again helps is a type, not a text.

use std::fmt;

use acme::one_line;

/// Why a record was not made or removed, or why there is no such provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderError {
    kind: Kind,
    provider: String,
    why: String,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The provider's code or a variable is wrong: the user's.
    Configuration,
    /// It went wrong, and may go right the next time.
    Failed,
    /// The provider says no, and will until somebody changes something there.
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

    /// Whether it will stay so until somebody changes something: trying again soon is no use.
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
