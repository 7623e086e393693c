//! See `fuzz::rule`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::rule(input));
