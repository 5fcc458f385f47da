//! One page: its header, and the elements in it.

use crate::layout::{self, BUCKET_HEADER, ELEMENT, MAX_KEY, Numbers, PAGE_HEADER};
use crate::source::Source;
use crate::{BoltError, Damage, Rule};

/// How much of a page is read at once and kept; the rest of a longer one is read as it is needed.
const HEAD: u64 = 64 * 1024;

/// Where some bytes of the file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) at: u64,
    pub(crate) length: usize,
}

/// The first bytes of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) id: u64,
    pub(crate) flags: u16,
    pub(crate) count: u16,
    pub(crate) overflow: u32,
}

impl Header {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut numbers = Numbers(bytes);
        Self {
            id: numbers.u64(),
            flags: numbers.u16(),
            count: numbers.u16(),
            overflow: numbers.u32(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Branch,
    Leaf,
}

/// A branch or a leaf, with all pages that continue it; or a leaf inside another one.
#[derive(Debug)]
pub(crate) struct Page {
    /// The page that it is, or that it lies in.
    pub(crate) number: u64,
    pub(crate) kind: Kind,
    pub(crate) inline: bool,
    at: u64,
    length: u64,
    head: Vec<u8>,
    count: u16,
    /// The next element.
    next: u16,
    /// Where the key of the next element may begin: behind the table and all elements before.
    free_from: u64,
}

/// What a branch's element says.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) key: Vec<u8>,
    pub(crate) page: u64,
}

/// What a leaf's element says.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Span,
    pub(crate) is_bucket: bool,
}

impl Page {
    /// Reads the page that begins there and is so long with all pages that continue it.
    pub(crate) fn read(
        source: &Source,
        number: u64,
        span: (u64, u64),
        inline: bool,
    ) -> Result<Self, BoltError> {
        let (at, length) = span;
        let head = source.read(at, usize::try_from(length.min(HEAD)).unwrap_or(0))?;
        let Header { flags, count, .. } = Header::parse(&head);
        let broken = |rule| BoltError::from(Damage::new(number, rule));
        let kind = match flags {
            layout::BRANCH if inline => return Err(broken(Rule::InlineKind)),
            layout::BRANCH if count == 0 => return Err(broken(Rule::BranchEmpty)),
            layout::BRANCH => Kind::Branch,
            layout::LEAF => Kind::Leaf,
            _ if inline => return Err(broken(Rule::InlineKind)),
            _ => return Err(broken(Rule::PageKind)),
        };
        let free_from = (PAGE_HEADER + usize::from(count) * ELEMENT) as u64;
        if free_from > length {
            return Err(broken(Rule::PageElements));
        }
        Ok(Self {
            number,
            kind,
            inline,
            at,
            length,
            head,
            count,
            next: 0,
            free_from,
        })
    }

    /// Reads the next element of a branch.
    pub(crate) fn child(&mut self, source: &Source) -> Result<Option<Child>, BoltError> {
        let Some((at, element)) = self.element(source)? else {
            return Ok(None);
        };
        let mut numbers = Numbers(&element);
        let (pos, key) = (numbers.u32(), numbers.u32());
        let page = numbers.u64();
        let (key, _) = self.key_and_value(source, at + u64::from(pos), key, 0)?;
        Ok(Some(Child { key, page }))
    }

    /// Reads the next element of a leaf. Its value is left where it is.
    pub(crate) fn entry(&mut self, source: &Source) -> Result<Option<Entry>, BoltError> {
        let Some((at, element)) = self.element(source)? else {
            return Ok(None);
        };
        let mut numbers = Numbers(&element);
        let (flags, pos) = (numbers.u32(), numbers.u32());
        let (key, value) = (numbers.u32(), numbers.u32());
        let is_bucket = match flags {
            0 => false,
            layout::BUCKET if self.inline => return self.broken(Rule::InlineBucket),
            layout::BUCKET if (value as usize) < BUCKET_HEADER => {
                return self.broken(Rule::BucketHeader);
            }
            layout::BUCKET => true,
            _ => return self.broken(Rule::ElementFlags),
        };
        let (key, value) = self.key_and_value(source, at + u64::from(pos), key, value)?;
        Ok(Some(Entry {
            key,
            value,
            is_bucket,
        }))
    }

    /// Reads bytes of the file, from what was kept of this page if they are there.
    pub(crate) fn bytes(&self, source: &Source, span: Span) -> Result<Vec<u8>, BoltError> {
        let kept = span
            .at
            .checked_sub(self.at)
            .and_then(|from| usize::try_from(from).ok())
            .and_then(|from| self.head.get(from..from.checked_add(span.length)?));
        match kept {
            Some(kept) => Ok(kept.to_vec()),
            None => Ok(source.read(span.at, span.length)?),
        }
    }

    fn element(&mut self, source: &Source) -> Result<Option<(u64, Vec<u8>)>, BoltError> {
        if self.next == self.count {
            return Ok(None);
        }
        let at = (PAGE_HEADER + usize::from(self.next) * ELEMENT) as u64;
        self.next += 1;
        let span = Span {
            at: self.at + at,
            length: ELEMENT,
        };
        Ok(Some((at, self.bytes(source, span)?)))
    }

    /// Holds an element to the bounds of the page and reads its key.
    fn key_and_value(
        &mut self,
        source: &Source,
        from: u64,
        key: u32,
        value: u32,
    ) -> Result<(Vec<u8>, Span), BoltError> {
        if key == 0 || key > MAX_KEY {
            return self.broken(Rule::KeyLength);
        }
        let middle = from + u64::from(key);
        let end = middle + u64::from(value);
        if end > self.length {
            return self.broken(Rule::ElementBounds);
        }
        if from < self.free_from {
            return self.broken(Rule::ElementOverlap);
        }
        self.free_from = end;
        let span = |at, length: u32| Span {
            at: self.at + at,
            length: length as usize,
        };
        let key = self.bytes(source, span(from, key))?;
        Ok((key, span(middle, value)))
    }

    fn broken<T>(&self, rule: Rule) -> Result<T, BoltError> {
        Err(Damage::new(self.number, rule).into())
    }
}
