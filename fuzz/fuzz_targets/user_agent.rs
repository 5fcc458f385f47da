//! `User-Agent`: short printable names of any bytes.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| corpus::properties::user_agent(input));
