//! Everything that can be said against a file: all trees, all buckets, the free pages.

use crate::layout::{self, Numbers, PAGE_HEADER};
use crate::meta::Meta;
use crate::seen::Seen;
use crate::source::Source;
use crate::walk::{Step, Walk, page_run};
use crate::{BoltError, Damage, Rule};

/// What a whole file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// All pages, in use, free and meta.
    pub pages: u64,
    /// Pages that are free.
    pub free_pages: u64,
    /// Buckets at any level.
    pub buckets: u64,
    /// Keys with values, in all buckets.
    pub pairs: u64,
}

pub(crate) fn check(source: &Source, meta: Meta) -> Result<Checked, BoltError> {
    let mut checked = Checked {
        pages: meta.pages,
        ..Checked::default()
    };
    let mut walk = Walk::new(source, meta)?;
    while let Some(step) = walk.next()? {
        match step {
            Step::Pair { .. } => checked.pairs += 1,
            Step::Bucket { bucket, .. } => {
                checked.buckets += 1;
                walk.enter(bucket)?;
            }
        }
    }
    let mut seen = walk.into_seen();
    // Without a list, what is not in use is free.
    if let Some(freelist) = meta.freelist {
        checked.free_pages = mark_free(source, &meta, freelist, &mut seen)?;
        if let Some(lost) = seen.first_missing() {
            return Err(Damage::new(lost, Rule::PageLost).into());
        }
    }
    Ok(checked)
}

/// Reads the list of free pages, a piece at a time, and marks them.
fn mark_free(
    source: &Source,
    meta: &Meta,
    freelist: u64,
    seen: &mut Seen,
) -> Result<u64, BoltError> {
    const PIECE: u64 = 64 * 1024;
    let broken = |rule| Err(BoltError::from(Damage::new(freelist, rule)));
    let (header, pages) = page_run(source, meta, freelist)?;
    if header.flags != layout::FREELIST {
        return broken(Rule::FreelistKind);
    }
    seen.add(freelist, pages, Rule::PageShared)?;

    let start = freelist * meta.page_size;
    let end = start + pages * meta.page_size;
    let mut at = start + PAGE_HEADER as u64;
    let mut count = u64::from(header.count);
    if header.count == layout::COUNT_ELSEWHERE {
        count = Numbers(&source.read(at, 8)?).u64();
        at += 8;
    }
    let list_end = count.checked_mul(8).and_then(|bytes| at.checked_add(bytes));
    let Some(list_end) = list_end.filter(|list_end| *list_end <= end) else {
        return broken(Rule::FreelistCount);
    };
    while at < list_end {
        let length = (list_end - at).min(PIECE);
        let piece = source.read(at, usize::try_from(length).unwrap_or(0))?;
        for id in piece.chunks_exact(8) {
            let page = Numbers(id).u64();
            if page < 2 || page >= meta.pages {
                return broken(Rule::FreelistEntry);
            }
            seen.add(page, 1, Rule::FreelistInUse)?;
        }
        at += length;
    }
    Ok(count)
}
