//! Bytes in the place of a record: damage is told, and what is read is kept by the next change.

#![no_main]

use std::sync::LazyLock;

#[path = "../../crates/sessionup-redb/tests/record_bytes/property.rs"]
mod property;

static BENCH: LazyLock<property::Bench> = LazyLock::new(property::Bench::new);

libfuzzer_sys::fuzz_target!(|input: &[u8]| BENCH.hold(input));
