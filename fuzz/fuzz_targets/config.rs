//! Settings: refused, or sent as exactly the cookie that was asked for.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| corpus::properties::config::config(input));
