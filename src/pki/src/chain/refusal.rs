//! Reasons for which a chain is refused.

use crate::PairError;
use base::date::date;
use std::fmt;

/// The largest chain accepted, in bytes of PEM: ten certificates with many names each.
pub const MAX_CHAIN_BYTES: usize = 256 * 1024;

/// Reason why a chain can't be served.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The certificate has expired.
    Expired {
        /// End of validity, seconds since 1970.
        not_after: i64,
        /// The time here.
        now: i64,
    },
    /// A certificate is not issued by the next one.
    Link {
        /// Number of the certificate, from 1 on.
        place: usize,
        /// The fault.
        why: &'static str,
    },
    /// The leaf does not cover a name of the order.
    NameMissing {
        /// The missing name.
        missing: String,
        /// The names that the leaf covers.
        covered: Vec<String>,
    },
    /// The certificate is not valid yet.
    NotYetValid {
        /// Start of validity, seconds since 1970.
        not_before: i64,
        /// The time here.
        now: i64,
    },
    /// The chain and its key can't be served.
    Pair(PairError),
    /// The PEM exceeds [`MAX_CHAIN_BYTES`].
    TooLarge(usize),
}

impl From<PairError> for Refusal {
    fn from(error: PairError) -> Self {
        Self::Pair(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { not_after, now } => {
                write!(f, "the certificate expired at {}, and it is {} here", date(*not_after), date(*now))
            }
            Self::Link { place, why } => write!(f, "certificate {place} of the chain: {why}"),
            Self::NameMissing { missing, covered } => {
                write!(f, "the certificate does not cover {missing}; it covers {}", covered.join(", "))
            }
            Self::NotYetValid { not_before, now } => write!(
                f,
                "the certificate is not valid before {}, and it is {} here: is the clock right?",
                date(*not_before),
                date(*now)
            ),
            Self::Pair(error) => error.fmt(f),
            Self::TooLarge(found) => write!(f, "the chain has {found} bytes; at most {MAX_CHAIN_BYTES} are taken"),
        }
    }
}

impl std::error::Error for Refusal {}
