//! No nonce is used twice, whatever the network does.

use std::collections::HashSet;

use super::Violation;

/// All nonces that were used.
#[derive(Default)]
pub struct Nonces(HashSet<String>);

impl Nonces {
    /// A request with this nonce was sent.
    pub fn sent(&mut self, nonce: &str) -> Result<(), Violation> {
        if self.0.insert(nonce.to_owned()) { Ok(()) } else { Err(format!("the nonce {nonce} was used twice")) }
    }
}
