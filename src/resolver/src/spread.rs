//! Jitter that follows from a name: even over many names, and the same for one after every restart.

/// The denominator of a [`share`].
pub(crate) const WHOLE: u32 = MASK + 1;

/// The bits of the hash that are taken.
const MASK: u32 = 0x3ff;

/// A number from 0 to below [`WHOLE`], the same for the same text on every machine.
pub(crate) fn share(text: &str) -> u32 {
    u32::try_from(hash(text) & u64::from(MASK)).unwrap_or_default()
}

/// FNV-1a: not strong, only even.
pub(crate) fn hash(text: &str) -> u64 {
    extended(START, text.as_bytes())
}

/// The [`hash`] of nothing.
pub(crate) const START: u64 = 0xcbf2_9ce4_8422_2325;

/// The [`hash`] of what was hashed so far, followed by these bytes.
pub(crate) fn extended(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
