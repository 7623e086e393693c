//! See `fuzz::sds_session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::sds_session(input));
