//! See `fuzz::acme_messages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::acme_messages(input));
