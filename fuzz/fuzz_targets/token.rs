//! A cookie's value: one text for one token, and nothing else is one.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| corpus::properties::token(input));
