//! Bytes that are never shown.

use zeroize::Zeroizing;

/// A secret in memory. It has neither `Display` nor `Debug`, and is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Wraps a secret.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The secret itself. Every use of this is a place to look at in a review.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}
