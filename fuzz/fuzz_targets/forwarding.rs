//! `X-Forwarded-For` and `Forwarded`: nothing that a client writes changes its address.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| corpus::properties::forwarding(input));
