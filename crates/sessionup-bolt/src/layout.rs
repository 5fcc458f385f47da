//! Numbers of Bolt's format that reader and writer share. All integers are little endian.

/// `id: u64, flags: u16, count: u16, overflow: u32`, at the beginning of each page.
pub(crate) const PAGE_HEADER: usize = 16;
/// A branch's `pos: u32, ksize: u32, child: u64`, a leaf's `flags: u32, pos: u32, ksize: u32, vsize:
/// u32`. `pos` counts from where the element itself begins.
pub(crate) const ELEMENT: usize = 16;
/// `root: u64, sequence: u64`, where the value of a bucket begins.
pub(crate) const BUCKET_HEADER: usize = 16;
/// All of a meta page after the page's header.
pub(crate) const META: usize = 64;
/// What of a meta page is under its check value.
pub(crate) const META_CHECKED: usize = 56;

pub(crate) const BRANCH: u16 = 0x01;
pub(crate) const LEAF: u16 = 0x02;
pub(crate) const META_PAGE: u16 = 0x04;
pub(crate) const FREELIST: u16 = 0x10;

/// The flag of a leaf's element that is a bucket.
pub(crate) const BUCKET: u32 = 0x01;

pub(crate) const MAGIC: u32 = 0xED0C_DAED;
pub(crate) const VERSION: u32 = 2;
/// In place of a page: there is no list of free pages.
pub(crate) const NO_FREELIST: u64 = u64::MAX;
/// In place of a count of free pages: the count stands in front of them.
pub(crate) const COUNT_ELSEWHERE: u16 = u16::MAX;

/// Longest key.
pub(crate) const MAX_KEY: u32 = 32_768;

/// FNV-1a of 64 bits, the check value of a meta page.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// Reads numbers off the front of bytes; zero where none are left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers<'a>(pub(crate) &'a [u8]);

impl Numbers<'_> {
    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((taken, rest)) = self.0.split_first_chunk::<N>() else {
            return [0; N];
        };
        self.0 = rest;
        *taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_value_is_fnv_1a() {
        // From the authors' own list of test vectors.
        assert_eq!(checksum(b""), 0xCBF2_9CE4_8422_2325);
        assert_eq!(checksum(b"a"), 0xAF63_DC4C_8601_EC8C);
        assert_eq!(checksum(b"foobar"), 0x8594_4171_F739_67E8);
    }

    #[test]
    fn numbers_end_in_zeros() {
        let mut numbers = Numbers(&[1, 0, 2, 0, 0, 0, 3]);
        assert_eq!((numbers.u16(), numbers.u32(), numbers.u64()), (1, 2, 0));
    }
}
