//! The hash of texts that is the same on every machine and in every version: FNV-1a with 64 bits.
//!
//! Refuses: to be strong. It spreads evenly; whoever chooses the texts can make them collide.

/// The [`hash`] of nothing.
pub const START: u64 = 0xcbf2_9ce4_8422_2325;

/// The FNV-1a hash of these bytes.
pub fn hash(bytes: &[u8]) -> u64 {
    extended(START, bytes)
}

/// The [`hash`] of what was hashed so far, followed by these bytes.
pub fn extended(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    // http://www.isthe.com/chongo/src/fnv/test_fnv.c
    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(extended(hash(b"foo"), b"bar"), hash(b"foobar"));
    }
}
