//! See `fuzz::acme_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::acme_json(input));
