//! A small Bolt file, page by page, for tests to spoil.

#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    dead_code,
    unreachable_pub
)]

pub const BRANCH: u16 = 1;
pub const LEAF: u16 = 2;

/// A file of pages. Its meta pages are made from its fields when it is finished.
#[derive(Clone)]
pub struct Forge {
    pub page_size: usize,
    pub root: u64,
    pub freelist: u64,
    pub pages: u64,
    pub bytes: Vec<u8>,
}

/// A key and its value in a leaf; a bucket with flag 1.
pub type Element<'a> = (u32, &'a [u8], Vec<u8>);

impl Forge {
    /// A file of so many pages, all zero.
    pub fn new(page_size: usize, pages: u64) -> Self {
        Self {
            page_size,
            root: 3,
            freelist: 2,
            pages,
            bytes: vec![0; page_size * pages as usize],
        }
    }

    /// A sound file with what a file can have.
    ///
    /// ```text
    /// 2 free pages: 9     3 root: b at 4, c inline     4 b: record at 5
    /// 5 record, a branch: a at 6, m at 7     6 a leaf     7 and 8 a leaf with a large value
    /// ```
    pub fn sound() -> Self {
        let mut forge = Self::new(512, 10);
        forge.freelist_page(2, &[9]);
        let inline = [bucket(0), leaf_bytes(0, &[(0, b"k", b"v".into())])].concat();
        forge.leaf(3, &[(1, b"b", bucket(4)), (1, b"c", inline)]);
        forge.leaf(4, &[(1, b"record", bucket(5))]);
        forge.branch(5, &[(b"a", 6), (b"m", 7)]);
        forge.leaf(6, &[(0, b"a", b"1".into()), (0, b"b", b"2".into())]);
        forge.leaf(7, &[(0, b"m", vec![b'x'; 600]), (0, b"n", b"4".into())]);
        forge
    }

    pub fn leaf(&mut self, page: u64, elements: &[Element<'_>]) {
        self.write(page, &leaf_bytes(page, elements));
    }

    pub fn branch(&mut self, page: u64, children: &[(&[u8], u64)]) {
        let mut bytes = header(page, BRANCH, children.len());
        let mut pos = children.len() * 16;
        for (key, child) in children {
            bytes.extend((pos as u32).to_le_bytes());
            bytes.extend((key.len() as u32).to_le_bytes());
            bytes.extend(child.to_le_bytes());
            pos = pos + key.len() - 16;
        }
        children.iter().for_each(|(key, _)| bytes.extend(*key));
        self.write(page, &bytes);
    }

    pub fn freelist_page(&mut self, page: u64, free: &[u64]) {
        let mut bytes = header(page, 0x10, free.len());
        free.iter().for_each(|id| bytes.extend(id.to_le_bytes()));
        self.write(page, &bytes);
    }

    fn write(&mut self, page: u64, bytes: &[u8]) {
        let overflow = bytes.len().div_ceil(self.page_size) - 1;
        self.at(page, 0, bytes);
        self.at(page, 12, &(overflow as u32).to_le_bytes());
    }

    /// Puts bytes into a page.
    pub fn at(&mut self, page: u64, offset: usize, bytes: &[u8]) {
        let from = page as usize * self.page_size + offset;
        self.bytes[from..from + bytes.len()].copy_from_slice(bytes);
    }

    pub fn u16(&mut self, page: u64, offset: usize, number: u16) {
        self.at(page, offset, &number.to_le_bytes());
    }

    pub fn u32(&mut self, page: u64, offset: usize, number: u32) {
        self.at(page, offset, &number.to_le_bytes());
    }

    pub fn u64(&mut self, page: u64, offset: usize, number: u64) {
        self.at(page, offset, &number.to_le_bytes());
    }

    /// Writes both meta pages; returns the file.
    pub fn finish(mut self) -> Vec<u8> {
        for txid in 0..2 {
            self.at(txid, 0, &header(txid, 4, 0));
            self.u32(txid, 16, 0xED0C_DAED);
            self.u32(txid, 20, 2);
            self.u32(txid, 24, self.page_size as u32);
            self.u64(txid, 32, self.root);
            self.u64(txid, 48, self.freelist);
            self.u64(txid, 56, self.pages);
            self.u64(txid, 64, txid);
        }
        sign(&mut self.bytes, self.page_size);
        self.bytes
    }
}

/// Makes the check values of both meta pages fit.
pub fn sign(bytes: &mut [u8], page_size: usize) {
    for at in [16, page_size + 16] {
        if let Some(meta) = bytes.get_mut(at..at + 64) {
            let sum = meta[..56]
                .iter()
                .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
                    (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
                });
            meta[56..].copy_from_slice(&sum.to_le_bytes());
        }
    }
}

pub fn bucket(root: u64) -> Vec<u8> {
    [root.to_le_bytes(), [0; 8]].concat()
}

pub fn leaf_bytes(page: u64, elements: &[Element<'_>]) -> Vec<u8> {
    let mut bytes = header(page, LEAF, elements.len());
    let mut pos = elements.len() * 16;
    for (flags, key, value) in elements {
        bytes.extend(flags.to_le_bytes());
        bytes.extend((pos as u32).to_le_bytes());
        bytes.extend((key.len() as u32).to_le_bytes());
        bytes.extend((value.len() as u32).to_le_bytes());
        pos = pos + key.len() + value.len() - 16;
    }
    for (_, key, value) in elements {
        bytes.extend(*key);
        bytes.extend(value);
    }
    bytes
}

pub fn header(page: u64, flags: u16, count: usize) -> Vec<u8> {
    let mut bytes = page.to_le_bytes().to_vec();
    bytes.extend(flags.to_le_bytes());
    bytes.extend((count as u16).to_le_bytes());
    bytes.extend([0; 4]);
    bytes
}

/// A file in whose bucket `b` lie these values under these keys, which are sorted and distinct.
pub fn of_records(records: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let elements: Vec<Element<'_>> = records
        .iter()
        .map(|(key, value)| (0, key.as_slice(), value.clone()))
        .collect();
    let length = leaf_bytes(0, &elements).len() as u64;
    let mut forge = Forge::new(4_096, 5 + length.div_ceil(4_096));
    forge.freelist_page(2, &[]);
    forge.leaf(3, &[(1, b"b", bucket(4))]);
    forge.leaf(4, &[(1, b"record", bucket(5))]);
    forge.leaf(5, &elements);
    forge.finish()
}

/// A bucket of two records, each in a leaf of its own: pages 6 and 7. The keys begin with `a` and `z`.
pub fn two_leaves(bucket_name: &[u8], first: (&[u8], Vec<u8>), second: (&[u8], Vec<u8>)) -> Forge {
    let mut forge = Forge::new(512, 8);
    forge.freelist_page(2, &[]);
    forge.leaf(3, &[(1, bucket_name, bucket(4))]);
    forge.leaf(4, &[(1, b"record", bucket(5))]);
    forge.branch(5, &[(b"a", 6), (b"z", 7)]);
    forge.leaf(6, &[(0, first.0, first.1)]);
    forge.leaf(7, &[(0, second.0, second.1)]);
    forge
}
