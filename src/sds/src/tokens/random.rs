//! Random tokens.

use super::error::TokenError;
use pki::secret::Secret;

/// Length of a generated token, in bytes, before it is written in hexadecimal digits.
const RANDOM: usize = 32;

/// A new token.
///
/// # Errors
/// When the system gives no random bytes.
pub fn random() -> Result<Secret, TokenError> {
    let mut bytes = [0_u8; RANDOM];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| TokenError::NoRandomness)?;
    Ok(Secret::new(hex::encode(bytes).into_bytes()))
}
