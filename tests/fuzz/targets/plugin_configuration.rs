//! See `fuzz::plugin_configuration`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::plugin_configuration(input));
