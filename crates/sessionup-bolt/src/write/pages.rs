//! Pages and trees, written from front to back.

use std::io::{self, Seek, SeekFrom, Write};

use crate::layout::{
    BRANCH, BUCKET, BUCKET_HEADER, ELEMENT, FREELIST, LEAF, MAGIC, META_CHECKED, META_PAGE,
    PAGE_HEADER, VERSION, checksum,
};

/// The size of a page, which the file states: Bolt takes any.
const PAGE: usize = 4_096;
/// Where the list of free pages is, which is empty.
const FREELIST_AT: u64 = 2;
const FIRST: usize = 3;

/// A pair or a bucket in a leaf.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    flags: u32,
    key: &'a [u8],
    value: &'a [u8],
}

impl<'a> Item<'a> {
    pub(super) const fn pair(key: &'a [u8], value: &'a [u8]) -> Self {
        Self {
            flags: 0,
            key,
            value,
        }
    }

    pub(super) const fn bucket(key: &'a [u8], value: &'a [u8]) -> Self {
        Self {
            flags: BUCKET,
            key,
            value,
        }
    }

    const fn bytes(&self) -> usize {
        ELEMENT + self.key.len() + self.value.len()
    }
}

/// Makes the value of a bucket whose tree begins at a page.
pub(super) fn bucket(root: u64) -> [u8; BUCKET_HEADER] {
    let mut header = [0; BUCKET_HEADER];
    let (front, _sequence) = header.split_at_mut(8);
    front.copy_from_slice(&root.to_le_bytes());
    header
}

/// Makes the value of a bucket that lies in it whole, with one pair.
pub(super) fn inline_bucket(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = bucket(0).to_vec();
    bytes.extend(leaf(0, &[Item::pair(key, value)]));
    bytes
}

/// A file under way.
pub(super) struct Pages<'w, W> {
    out: &'w mut W,
    next: u64,
}

/// A page, for the branch above it.
struct Child {
    key: Vec<u8>,
    page: u64,
}

impl Child {
    const fn bytes(&self) -> usize {
        ELEMENT + self.key.len()
    }
}

impl<'w, W: Write + Seek> Pages<'w, W> {
    pub(super) fn new(out: &'w mut W) -> io::Result<Self> {
        out.write_all(&[0; FIRST * PAGE])?;
        Ok(Self {
            out,
            next: FIRST as u64,
        })
    }

    /// Writes a tree of items in the order of their keys; returns the page of its root.
    pub(super) fn tree<'a>(
        &mut self,
        items: impl IntoIterator<Item = Item<'a>>,
    ) -> io::Result<u64> {
        let mut level = Vec::new();
        let mut page: Vec<Item<'a>> = Vec::new();
        let mut bytes = PAGE_HEADER;
        for item in items {
            if !page.is_empty() && bytes + item.bytes() > PAGE {
                level.push(self.leaf(&page)?);
                page.clear();
                bytes = PAGE_HEADER;
            }
            bytes += item.bytes();
            page.push(item);
        }
        if !page.is_empty() || level.is_empty() {
            level.push(self.leaf(&page)?);
        }
        while level.len() > 1 {
            level = self.branches(level)?;
        }
        Ok(level.first().map_or(0, |root| root.page))
    }

    fn branches(&mut self, children: Vec<Child>) -> io::Result<Vec<Child>> {
        let mut level = Vec::new();
        let mut left = children.len();
        let mut page: Vec<Child> = Vec::new();
        let mut bytes = PAGE_HEADER;
        for child in children {
            // A branch has two children at least: the last one stays with those before it.
            if page.len() >= 2 && left >= 2 && bytes + child.bytes() > PAGE {
                level.push(self.branch(std::mem::take(&mut page))?);
                bytes = PAGE_HEADER;
            }
            bytes += child.bytes();
            page.push(child);
            left -= 1;
        }
        level.push(self.branch(page)?);
        Ok(level)
    }

    fn leaf(&mut self, items: &[Item<'_>]) -> io::Result<Child> {
        let key = items
            .first()
            .map(|item| item.key.to_vec())
            .unwrap_or_default();
        let page = self.write(leaf(self.next, items))?;
        Ok(Child { key, page })
    }

    fn branch(&mut self, children: Vec<Child>) -> io::Result<Child> {
        let mut bytes = header(self.next, BRANCH, children.len());
        let mut pos = children.len() * ELEMENT;
        for child in &children {
            put_u32(&mut bytes, pos);
            put_u32(&mut bytes, child.key.len());
            bytes.extend(child.page.to_le_bytes());
            pos = pos + child.key.len() - ELEMENT;
        }
        children.iter().for_each(|child| bytes.extend(&child.key));
        let page = self.write(bytes)?;
        let key = children.into_iter().next().map(|child| child.key);
        Ok(Child {
            key: key.unwrap_or_default(),
            page,
        })
    }

    /// Writes a page with as many that continue it as it needs.
    fn write(&mut self, mut bytes: Vec<u8>) -> io::Result<u64> {
        let pages = bytes.len().div_ceil(PAGE);
        bytes.resize(pages * PAGE, 0);
        let overflow = u32::try_from(pages - 1).unwrap_or(u32::MAX).to_le_bytes();
        if let Some(field) = bytes.get_mut(12..16) {
            field.copy_from_slice(&overflow);
        }
        self.out.write_all(&bytes)?;
        let page = self.next;
        self.next += pages as u64;
        Ok(page)
    }

    /// Writes the two meta pages and the empty list of free pages.
    pub(super) fn finish(self, root: u64) -> io::Result<()> {
        let mut bytes = Vec::new();
        for txid in 0..2 {
            bytes.extend(header(txid, META_PAGE, 0));
            bytes.extend(meta(root, self.next, txid));
            bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
        }
        bytes.extend(header(FREELIST_AT, FREELIST, 0));
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&bytes)
    }
}

fn leaf(page: u64, items: &[Item<'_>]) -> Vec<u8> {
    let mut bytes = header(page, LEAF, items.len());
    let mut pos = items.len() * ELEMENT;
    for item in items {
        bytes.extend(item.flags.to_le_bytes());
        put_u32(&mut bytes, pos);
        put_u32(&mut bytes, item.key.len());
        put_u32(&mut bytes, item.value.len());
        pos = pos + item.key.len() + item.value.len() - ELEMENT;
    }
    for item in items {
        bytes.extend(item.key);
        bytes.extend(item.value);
    }
    bytes
}

fn header(page: u64, flags: u16, count: usize) -> Vec<u8> {
    let mut bytes = page.to_le_bytes().to_vec();
    bytes.extend(flags.to_le_bytes());
    // A page of 4096 bytes has room for 255 elements.
    bytes.extend(u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend([0; 4]);
    bytes
}

fn meta(root: u64, pages: u64, txid: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(MAGIC.to_le_bytes());
    bytes.extend(VERSION.to_le_bytes());
    put_u32(&mut bytes, PAGE);
    bytes.extend([0; 4]);
    bytes.extend(bucket(root));
    bytes.extend(FREELIST_AT.to_le_bytes());
    bytes.extend(pages.to_le_bytes());
    bytes.extend(txid.to_le_bytes());
    let sum = checksum(bytes.get(..META_CHECKED).unwrap_or_default());
    bytes.extend(sum.to_le_bytes());
    bytes
}

fn put_u32(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}
