//! Inputs made of others, the same for the same seed.

/// Makes inputs of others. The same seed makes the same ones on every machine.
#[derive(Clone, Debug)]
pub struct Mutator {
    state: u64,
}

/// Bytes that mean something to a parser.
const MEANT: &[u8] = b";=,\" \t\0\r\n%$/.-_:+A0\x7f\x80\xa0\xc3\xed\xff";
const MAX_BYTES: usize = 128 * 1024;

impl Mutator {
    /// Begins with a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Makes an input of one of these, with one to eight changes.
    #[must_use]
    pub fn next(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = self.pick(seeds).clone();
        for _ in 0..=self.below(8) {
            self.change(&mut bytes, seeds);
        }
        bytes.truncate(MAX_BYTES);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let from = self.below(bytes.len() + 1);
        let to = from + self.below((bytes.len() - from).min(32) + 1);
        match self.below(7) {
            0 => drop(bytes.drain(from..to)),
            1 => bytes.truncate(from),
            2 => {
                let again = bytes[from..to].to_vec();
                bytes.splice(from..from, again);
            }
            3 => {
                let other = self.pick(seeds);
                let other = &other[..self.below(other.len() + 1)];
                bytes.splice(from..to, other.iter().copied());
            }
            4 => bytes.insert(from, *self.pick(MEANT)),
            5 if from < bytes.len() => bytes[from] = *self.pick(MEANT),
            _ if from < bytes.len() => bytes[from] ^= 1 << self.below(8),
            _ => {}
        }
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let at = self.below(from.len());
        &from[at]
    }

    /// Returns a number below this one, which is not zero.
    fn below(&mut self, end: usize) -> usize {
        let number = self.number() % end as u64;
        usize::try_from(number).expect("below a usize")
    }

    /// `SplitMix64`.
    fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
