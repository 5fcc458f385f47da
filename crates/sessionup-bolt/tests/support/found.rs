//! What fuzzing found: inputs that reach code that no other reaches, in one compressed file.
//!
//! Each is its length, 32 bits with the lowest byte first, and its bytes.

#![allow(clippy::expect_used, clippy::unwrap_used, dead_code, unreachable_pub)]

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// Returns all that is kept.
pub fn inputs() -> Vec<Vec<u8>> {
    let packed = include_bytes!("../fixtures/found.gz");
    let mut bytes = Vec::new();
    GzDecoder::new(packed.as_slice())
        .read_to_end(&mut bytes)
        .expect("the file is whole");
    let mut inputs = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = u32::from_le_bytes(*length) as usize;
        let (input, after) = after.split_at_checked(length).expect("the file is whole");
        inputs.push(input.to_vec());
        rest = after;
    }
    inputs
}

/// Packs inputs as they are kept.
pub fn pack(inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    for input in inputs {
        let length = u32::try_from(input.len()).expect("inputs are short");
        packed.write_all(&length.to_le_bytes()).unwrap();
        packed.write_all(input).unwrap();
    }
    packed.finish().unwrap()
}
