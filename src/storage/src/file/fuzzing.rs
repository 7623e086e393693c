//! The entry for fuzz targets; nothing else is for others.

use super::document::Records;
use super::schema::{self, Damage};

/// Reads a file's content, and returns the content that would be written back.
///
/// # Errors
/// When it is no storage; it would never be overwritten then.
pub fn written_back(text: &[u8]) -> Result<Vec<u8>, Damage> {
    let mut written = Vec::new();
    // Into memory, and of what was JSON before: there is nothing that can fail.
    let _ = schema::write(Records::read(text)?.document(), &mut written);
    Ok(written)
}
