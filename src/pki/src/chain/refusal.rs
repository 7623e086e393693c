//! Reasons for which a chain is refused.

use crate::PairError;
use base::date::date;
use std::fmt;

/// Why a chain can't be served.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its time is over.
    Expired {
        /// End of validity, seconds since 1970.
        not_after: i64,
        /// The time here.
        now: i64,
    },
    /// A certificate is not issued by the next one.
    Link {
        /// Which one, counted from 1.
        place: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// It does not cover a name of the certificate's.
    NameMissing {
        /// This one.
        missing: String,
        /// What it covers.
        covered: Vec<String>,
    },
    /// Its time has not come.
    NotYetValid {
        /// Start of validity, seconds since 1970.
        not_before: i64,
        /// The time here.
        now: i64,
    },
    /// The chain with its key is nothing that can be served.
    Pair(PairError),
    /// The PEM is larger than what is taken.
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

/// The largest chain that is taken, in bytes of PEM: ten certificates with many names each.
pub const MAX_CHAIN_BYTES: usize = 256 * 1024;
