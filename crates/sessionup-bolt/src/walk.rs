//! The way through the trees of a file, page by page in the order of keys.
//!
//! No recursion: the pages under way are a stack of bounded height, so neither deep trees nor
//! buckets inside buckets exhaust anything.

use crate::layout::{BUCKET_HEADER, Numbers, PAGE_HEADER};
use crate::meta::Meta;
use crate::page::{Child, Header, Kind, Page, Span};
use crate::seen::Seen;
use crate::source::Source;
use crate::{BoltError, Damage, Rule};

/// Deepest tree and deepest nesting of buckets. Bolt's own trees have a handful of levels.
const MAX_DEPTH: usize = 32;
/// Most pages under way at once.
const MAX_OPEN: usize = 64;

/// What the next step met.
#[derive(Debug)]
pub(crate) enum Step {
    /// A key with a value, `level` buckets below the root.
    Pair {
        level: usize,
        key: Vec<u8>,
        value: Span,
    },
    /// A bucket. It is passed over unless it is [entered](Walk::enter).
    Bucket {
        level: usize,
        key: Vec<u8>,
        bucket: Bucket,
    },
}

/// Where the content of a bucket is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    value: Span,
    page: u64,
}

/// A walk through a file. It remembers each page that it met, and meets none twice.
#[derive(Debug)]
pub(crate) struct Walk<'f> {
    source: &'f Source,
    meta: Meta,
    seen: Seen,
    open: Vec<Open>,
}

/// A page under way.
#[derive(Debug)]
struct Open {
    page: Page,
    level: usize,
    depth: usize,
    /// The key before; first the lower bound, which the first key may equal.
    last: Option<Vec<u8>>,
    is_first: bool,
    /// What all keys are below.
    upper: Option<Vec<u8>>,
    /// Of a branch, the element after the one under way: its key bounds the page before.
    ahead: Option<Child>,
}

impl<'f> Walk<'f> {
    /// Begins at the root bucket.
    pub(crate) fn new(source: &'f Source, meta: Meta) -> Result<Self, BoltError> {
        let mut walk = Self {
            source,
            meta,
            seen: Seen::new(meta.pages),
            open: Vec::new(),
        };
        walk.open(meta.root, Bounds::default())?;
        Ok(walk)
    }

    /// Goes on to the next key, in any bucket that was entered.
    pub(crate) fn next(&mut self) -> Result<Option<Step>, BoltError> {
        while let Some(top) = self.open.last_mut() {
            match top.page.kind {
                Kind::Leaf => match top.page.entry(self.source)? {
                    Some(entry) => {
                        top.admit(&entry.key)?;
                        let (level, key, value) = (top.level, entry.key, entry.value);
                        let page = top.page.number;
                        return Ok(Some(if entry.is_bucket {
                            let bucket = Bucket { value, page };
                            Step::Bucket { level, key, bucket }
                        } else {
                            Step::Pair { level, key, value }
                        }));
                    }
                    None => drop(self.open.pop()),
                },
                Kind::Branch => match top.advance(self.source)? {
                    Some((page, bounds)) => self.open(page, bounds)?,
                    None => drop(self.open.pop()),
                },
            }
        }
        Ok(None)
    }

    /// Goes into the bucket that the last step met, before what comes after it.
    pub(crate) fn enter(&mut self, bucket: Bucket) -> Result<(), BoltError> {
        let level = self.open.last().map_or(0, |top| top.level + 1);
        let bounds = Bounds {
            level,
            ..Bounds::default()
        };
        let header = self.value(Span {
            at: bucket.value.at,
            length: BUCKET_HEADER,
        })?;
        let root = Numbers(&header).u64();
        if root != 0 {
            return self.open(root, bounds);
        }
        let length = bucket.value.length - BUCKET_HEADER;
        if length < PAGE_HEADER {
            return Err(Damage::new(bucket.page, Rule::BucketHeader).into());
        }
        let span = (bucket.value.at + BUCKET_HEADER as u64, length as u64);
        let page = Page::read(self.source, bucket.page, span, true)?;
        self.push(page, bounds)
    }

    /// Reads a value that the last step met.
    pub(crate) fn value(&self, span: Span) -> Result<Vec<u8>, BoltError> {
        match self.open.last() {
            Some(top) => top.page.bytes(self.source, span),
            None => Ok(self.source.read(span.at, span.length)?),
        }
    }

    /// Returns what was met.
    pub(crate) fn into_seen(self) -> Seen {
        self.seen
    }

    fn open(&mut self, number: u64, bounds: Bounds) -> Result<(), BoltError> {
        let run = page_run(self.source, &self.meta, number)?;
        let (header, pages) = run;
        self.seen.add(number, pages, Rule::PageShared)?;
        let span = (number * self.meta.page_size, pages * self.meta.page_size);
        debug_assert_eq!(header.id, number);
        let page = Page::read(self.source, number, span, false)?;
        self.push(page, bounds)
    }

    fn push(&mut self, page: Page, bounds: Bounds) -> Result<(), BoltError> {
        let too_deep = bounds.depth >= MAX_DEPTH || bounds.level > MAX_DEPTH;
        if too_deep || self.open.len() >= MAX_OPEN {
            return Err(Damage::new(page.number, Rule::TooDeep).into());
        }
        let mut open = Open {
            page,
            level: bounds.level,
            depth: bounds.depth,
            last: bounds.lower,
            is_first: true,
            upper: bounds.upper,
            ahead: None,
        };
        if open.page.kind == Kind::Branch {
            open.look_ahead(self.source)?;
        }
        self.open.push(open);
        Ok(())
    }
}

/// Reads a page's header; says how many pages it takes with those that continue it.
pub(crate) fn page_run(
    source: &Source,
    meta: &Meta,
    number: u64,
) -> Result<(Header, u64), BoltError> {
    let broken = |rule| Err(Damage::new(number, rule).into());
    if number < 2 || number >= meta.pages {
        return broken(Rule::PageNumber);
    }
    let header = Header::parse(&source.read(number * meta.page_size, PAGE_HEADER)?);
    if header.id != number {
        return broken(Rule::PageId);
    }
    let pages = u64::from(header.overflow) + 1;
    if pages > meta.pages - number {
        return broken(Rule::PageOverflow);
    }
    Ok((header, pages))
}

/// What holds for all keys of a page, and how deep it lies.
#[derive(Debug, Default)]
struct Bounds {
    level: usize,
    depth: usize,
    lower: Option<Vec<u8>>,
    upper: Option<Vec<u8>>,
}

impl Open {
    /// Holds a key against the one before and the bounds of the page.
    fn admit(&mut self, key: &[u8]) -> Result<(), Damage> {
        let broken = |rule| Err(Damage::new(self.page.number, rule));
        match &self.last {
            Some(lower) if self.is_first && key < lower.as_slice() => {
                return broken(Rule::KeyBelowParent);
            }
            Some(last) if !self.is_first && key <= last.as_slice() => {
                return broken(Rule::KeyOrder);
            }
            Some(_) | None => {}
        }
        if self
            .upper
            .as_ref()
            .is_some_and(|upper| key >= upper.as_slice())
        {
            return broken(Rule::KeyAboveParent);
        }
        self.is_first = false;
        self.last = Some(key.to_vec());
        Ok(())
    }

    fn look_ahead(&mut self, source: &Source) -> Result<(), BoltError> {
        self.ahead = self.page.child(source)?;
        if let Some(child) = self.ahead.take() {
            self.admit(&child.key)?;
            self.ahead = Some(child);
        }
        Ok(())
    }

    /// Takes the next page that a branch leads to.
    fn advance(&mut self, source: &Source) -> Result<Option<(u64, Bounds)>, BoltError> {
        let Some(child) = self.ahead.take() else {
            return Ok(None);
        };
        self.look_ahead(source)?;
        let next = self.ahead.as_ref().map(|next| next.key.clone());
        Ok(Some((
            child.page,
            Bounds {
                level: self.level,
                depth: self.depth + 1,
                lower: Some(child.key),
                upper: next.or_else(|| self.upper.clone()),
            },
        )))
    }
}
