//! The two meta pages: which of them is valid, and which is newer.

use crate::layout::{self, META, META_CHECKED, NO_FREELIST, Numbers, PAGE_HEADER};
use crate::source::Source;
use crate::{BoltError, Damage, Rule};

/// What a file says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) page_size: u64,
    pub(crate) root: u64,
    /// Page of the list of free pages, if there is one.
    pub(crate) freelist: Option<u64>,
    /// How many pages there are, the high-water mark.
    pub(crate) pages: u64,
    txid: u64,
}

/// Smallest and largest size of a page, as powers of two: 512 bytes and 16 MiB.
const PAGE_SIZES: std::ops::RangeInclusive<u32> = 9..=24;
/// More would take more than 16 MiB to keep track of.
const MAX_PAGES: u64 = 1 << 27;

impl Meta {
    /// Reads both meta pages, and takes the valid one of the later transaction.
    ///
    /// The second one lies a page's size after the first. Where the first is spoiled, the size is
    /// not known, and each that is possible is tried.
    pub(crate) fn read(source: &Source) -> Result<Self, BoltError> {
        let first = Self::at(source, 0, 0)?;
        let second = match first {
            Ok(first) => Self::second(source, first.page_size)?,
            Err(_) => Self::search(source)?,
        };
        let newest = match (first, second) {
            (Ok(first), Ok(second)) if second.txid > first.txid => second,
            (Ok(first), _) => first,
            (Err(_), Ok(second)) => second,
            (Err(first), Err(second)) => return Err(BoltError::NotBolt { first, second }),
        };
        newest.check_length(source.length())?;
        Ok(newest)
    }

    fn search(source: &Source) -> Result<Result<Self, Rule>, BoltError> {
        let mut why = Rule::MetaShort;
        for size in PAGE_SIZES.map(|power| 1_u64 << power) {
            match Self::second(source, size)? {
                Ok(meta) => return Ok(Ok(meta)),
                // The reason at the place that looks most like a meta page.
                Err(rule @ (Rule::MetaMagic | Rule::MetaHeader)) if why == Rule::MetaShort => {
                    why = rule;
                }
                Err(Rule::MetaShort | Rule::MetaMagic | Rule::MetaHeader) => {}
                Err(rule) => why = rule,
            }
        }
        Ok(Err(why))
    }

    fn second(source: &Source, page_size: u64) -> Result<Result<Self, Rule>, BoltError> {
        let second = Self::at(source, 1, page_size)?;
        Ok(second.and_then(|meta| {
            if meta.page_size == page_size {
                Ok(meta)
            } else {
                Err(Rule::MetaPageSize)
            }
        }))
    }

    fn at(source: &Source, page: u64, at: u64) -> Result<Result<Self, Rule>, BoltError> {
        const LENGTH: usize = PAGE_HEADER + META;
        if at.saturating_add(LENGTH as u64) > source.length() {
            return Ok(Err(Rule::MetaShort));
        }
        Ok(Self::parse(page, &source.read(at, LENGTH)?))
    }

    /// Checks a meta page by itself.
    fn parse(page: u64, bytes: &[u8]) -> Result<Self, Rule> {
        let mut header = Numbers(bytes);
        let (id, flags) = (header.u64(), header.u16());
        let meta = bytes.get(PAGE_HEADER..).unwrap_or_default();
        let mut numbers = Numbers(meta);
        if numbers.u32() != layout::MAGIC {
            return Err(Rule::MetaMagic);
        }
        if numbers.u32() != layout::VERSION {
            return Err(Rule::MetaVersion);
        }
        let page_size = numbers.u32();
        let _flags = numbers.u32();
        let (root, _sequence) = (numbers.u64(), numbers.u64());
        let (freelist, pages, txid) = (numbers.u64(), numbers.u64(), numbers.u64());
        let sum = layout::checksum(meta.get(..META_CHECKED).unwrap_or_default());
        if numbers.u64() != sum {
            return Err(Rule::MetaChecksum);
        }
        if id != page || flags != layout::META_PAGE {
            return Err(Rule::MetaHeader);
        }
        if !page_size.is_power_of_two() || !PAGE_SIZES.contains(&page_size.trailing_zeros()) {
            return Err(Rule::MetaPageSize);
        }
        let in_file = |page: u64| (2..pages).contains(&page);
        if !in_file(root) {
            return Err(Rule::MetaRoot);
        }
        if freelist != NO_FREELIST && !in_file(freelist) {
            return Err(Rule::MetaFreelist);
        }
        Ok(Self {
            page_size: page_size.into(),
            root,
            freelist: (freelist != NO_FREELIST).then_some(freelist),
            pages,
            txid,
        })
    }

    fn check_length(&self, length: u64) -> Result<(), Damage> {
        let end = self.pages.checked_mul(self.page_size);
        let damaged = |rule| Err(Damage::new(self.txid % 2, rule));
        if end.is_none_or(|end| end > length) {
            return damaged(Rule::PageCount);
        }
        if self.pages > MAX_PAGES {
            return damaged(Rule::TooManyPages);
        }
        Ok(())
    }
}
