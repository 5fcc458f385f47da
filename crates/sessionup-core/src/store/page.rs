//! Lists of a user's sessions, a page at a time.

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::{Kind, Record, SessionId};

/// Which of a user's sessions a page of a list holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListOptions {
    /// Sessions of this kind alone; `None` for all kinds.
    pub kind: Option<Kind>,
    /// Sessions with an id greater than this one; `None` to begin with the first.
    pub after: Option<SessionId>,
    /// Most sessions of the page.
    pub limit: NonZeroUsize,
}

impl ListOptions {
    /// Sessions of a page unless said otherwise.
    pub const DEFAULT_LIMIT: NonZeroUsize = at_least_one(100);
    /// Most sessions of a page.
    pub const MAX_LIMIT: NonZeroUsize = at_least_one(1_000);

    /// Chooses the kind.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<Option<Kind>>) -> Self {
        self.kind = kind.into();
        self
    }

    /// Begins behind an id.
    #[must_use]
    pub fn after(mut self, id: impl Into<Option<SessionId>>) -> Self {
        self.after = id.into();
        self
    }

    /// Bounds the page; more than [`ListOptions::MAX_LIMIT`] counts as that.
    #[must_use]
    pub fn limit(mut self, limit: NonZeroUsize) -> Self {
        self.limit = limit.min(Self::MAX_LIMIT);
        self
    }
}

impl Default for ListOptions {
    fn default() -> Self {
        Self {
            kind: None,
            after: None,
            limit: Self::DEFAULT_LIMIT,
        }
    }
}

const fn at_least_one(n: usize) -> NonZeroUsize {
    match NonZeroUsize::new(n) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    }
}

/// A page of a user's sessions.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RecordPage {
    /// The sessions, in the order of their ids.
    pub records: Vec<Arc<Record>>,
    /// The cursor of the next page, for [`ListOptions::after`]; `None` if nothing follows.
    pub next: Option<SessionId>,
}

impl RecordPage {
    /// Makes a page.
    #[must_use]
    pub const fn new(records: Vec<Arc<Record>>, next: Option<SessionId>) -> Self {
        Self { records, next }
    }
}
