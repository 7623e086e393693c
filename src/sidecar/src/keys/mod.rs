//! Private keys: made here, and given to nobody but the storage and SDS.
//!
//! | file | what it does |
//! |---|---|
//! | `account.rs` | account keys |
//! | `csr.rs` | certificate signing requests |
//! | `maker.rs` | certificates' keys, RSA ones on threads of their own |

pub mod account;
mod csr;
mod maker;

use aws_lc_rs::error::Unspecified;

pub use csr::{CsrError, signing_request};
pub use maker::{KeyMaker, generate};

/// The crypto library failed: there is no randomness, or no memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError;

impl From<Unspecified> for KeyError {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the crypto library can't make a key")
    }
}

impl std::error::Error for KeyError {}
