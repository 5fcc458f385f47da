//! Bytes in the place of a Bolt file: an error that ends, or sessions that are written again as read.

#![no_main]

#[path = "../../crates/sessionup-bolt/tests/support/forge.rs"]
mod forge;
#[path = "../../crates/sessionup-bolt/tests/bolt_bytes/property.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|input: &[u8]| property::hold(input));
