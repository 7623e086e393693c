//! See `fuzz::challenge_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::challenge_request(input));
