//! Jitter that follows from a name: even over many names, and the same for one after every restart.

use protocol::fnv;

/// The denominator of a [`share`].
pub(crate) const WHOLE: u32 = MASK + 1;

/// The bits of the hash that are taken.
const MASK: u32 = 0x3ff;

/// A number from 0 to below [`WHOLE`], the same for the same text on every machine.
pub(crate) fn share(text: &str) -> u32 {
    u32::try_from(fnv::hash(text.as_bytes()) & u64::from(MASK)).unwrap_or_default()
}
