//! `Cookie` fields: found as other readers find it, whatever stands beside it.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| corpus::properties::cookie_header(input));
