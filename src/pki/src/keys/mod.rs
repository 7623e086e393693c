//! Private keys: made here, and given only to the storage and SDS.
//!
//! | file | what it does |
//! |---|---|
//! | `account.rs` | account keys |
//! | `csr.rs` | certificate signing requests |
//! | `eab.rs` | MAC keys of external accounts |
//! | `maker.rs` | certificates' keys, RSA ones on threads of their own |

pub mod account;
mod csr;
pub mod eab;
mod maker;

use aws_lc_rs::error::Unspecified;

pub use csr::{CsrError, Subject, signing_request};
pub use maker::{KeyMaker, generate};

/// Reason why a key can't be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The thread that makes the key could not start, or ended too early.
    Interrupted,
    /// The crypto library failed: there is no randomness, or no memory.
    Library,
    /// As many keys as there is room for are being made.
    TooMany,
}

impl From<Unspecified> for KeyError {
    fn from(_: Unspecified) -> Self {
        Self::Library
    }
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Interrupted => "key generation was interrupted; ask again",
            Self::Library => "the crypto library can't generate a key",
            Self::TooMany => "too many keys are being generated; ask again later",
        })
    }
}

impl std::error::Error for KeyError {}
