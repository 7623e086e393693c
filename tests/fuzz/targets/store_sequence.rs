//! See `fuzz::store_sequence`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::store_sequence(input));
