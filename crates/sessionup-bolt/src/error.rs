//! What can be wrong with a Bolt file, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a Bolt file could not be read.
///
/// No text of it holds anything of a session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BoltError {
    /// Another process has the file open for writing. Stop that program, or import a copy.
    #[error(
        "{path:?} is open for writing in another process: stop the Go program first, or read a \
         copy made while it was stopped"
    )]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A page breaks a rule of the format. Nothing behind it can be trusted.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The file could not be opened or read.
    #[error("could not read the file")]
    Io(#[from] io::Error),
    /// There is no such bucket, or it is none of sessionup-boltstore.
    #[error("no sessions in a bucket {bucket:?}, {}", listed(found))]
    NoBucket {
        /// The bucket that was asked for.
        bucket: String,
        /// Buckets that do hold sessions, at most sixteen.
        found: Vec<String>,
    },
    /// Neither of its first pages describes a Bolt file.
    #[error("not a Bolt file: page 0: {first}; page 1: {second}")]
    NotBolt {
        /// What is wrong with page 0.
        first: Rule,
        /// What is wrong with page 1.
        second: Rule,
    },
    /// It is a directory, a pipe or a device.
    #[error("{path:?} is not a file")]
    NotAFile {
        /// What is there.
        path: PathBuf,
    },
}

fn listed(found: &[String]) -> String {
    if found.is_empty() {
        "and in no other one".into()
    } else {
        format!("but in {found:?}")
    }
}

/// A page that breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("page {page} is damaged: {rule}")]
#[non_exhaustive]
pub struct Damage {
    /// Which page.
    pub page: u64,
    /// Which rule.
    pub rule: Rule,
}

impl Damage {
    pub(crate) const fn new(page: u64, rule: Rule) -> Self {
        Self { page, rule }
    }
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $rule:ident => $text:literal,)*) => {
        /// A rule that every sound Bolt file keeps.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[doc = $doc])+ $rule,)*
        }

        impl Rule {
            /// All rules.
            pub const ALL: &[Self] = &[$(Self::$rule),*];

            /// Says in words how the rule is broken.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$rule => $text,)*
                }
            }
        }
    };
}

rules! {
    /// A branch leads to at least one page.
    BranchEmpty => "a branch that leads nowhere",
    /// A bucket begins with its root and its sequence.
    BucketHeader => "a bucket too short for its header",
    /// Free pages are as many as their page can hold.
    FreelistCount => "a list of free pages longer than its page",
    /// A free page is one of the file's pages.
    FreelistEntry => "a free page that is none of the file's",
    /// A free page is not in use.
    FreelistInUse => "a free page that is in use, or free twice",
    /// The list of free pages is where the meta page says.
    FreelistKind => "no list of free pages where there should be one",
    /// A bucket inside a leaf holds no further buckets.
    InlineBucket => "a bucket inside an inline bucket",
    /// A bucket inside a leaf is a leaf itself.
    InlineKind => "an inline bucket that is no leaf",
    /// Keys and values lie inside their page.
    ElementBounds => "a key or a value outside its page",
    /// An element is a pair or a bucket.
    ElementFlags => "an element that is neither a pair nor a bucket",
    /// Keys and values do not overlap each other, nor the table before them.
    ElementOverlap => "a key or a value inside another one",
    /// Keys are not below what leads to their page.
    KeyBelowParent => "a key below the one that leads to its page",
    /// Keys are below what leads to the next page.
    KeyAboveParent => "a key that belongs on a later page",
    /// Keys have 1 to 32768 bytes.
    KeyLength => "a key that is empty or longer than 32768 bytes",
    /// Keys ascend.
    KeyOrder => "keys out of order",
    /// A meta page has the check value of its bytes.
    MetaChecksum => "its check value does not fit",
    /// The list of free pages is one of the file's pages, or none.
    MetaFreelist => "its list of free pages is not in the file",
    /// A meta page's number and kind are those of a meta page.
    MetaHeader => "it is not headed as a meta page",
    /// A meta page begins with Bolt's magic number.
    MetaMagic => "it has not Bolt's magic number",
    /// The size of a page is a power of two from 512 bytes to 16 MiB, and that of this file.
    MetaPageSize => "its page size is not that of this file",
    /// The root is one of the file's pages.
    MetaRoot => "its root is not in the file",
    /// The file ends before the meta page does.
    MetaShort => "the file ends before it",
    /// The version is 2.
    MetaVersion => "it is of another version than 2",
    /// As many pages as the file says are there.
    PageCount => "the file is shorter than it says",
    /// No more elements than their table has room for.
    PageElements => "more elements than the page holds",
    /// A page bears its own number.
    PageId => "it bears another page's number",
    /// A page of a tree is a branch or a leaf.
    PageKind => "it is neither a branch nor a leaf",
    /// A page lies within the file's pages.
    PageNumber => "it is led to but not in the file",
    /// A page's continuation lies within the file's pages.
    PageOverflow => "it runs on past the end of the file",
    /// A page is led to once.
    PageShared => "it is led to twice",
    /// A page is in use or free.
    PageLost => "it is neither in use nor free",
    /// Trees are at most 32 pages deep, buckets at most 32 deep, both together at most 64 pages.
    TooDeep => "pages or buckets nested too deeply",
    /// A file has at most 2^27 pages.
    TooManyPages => "more pages than can be checked",
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
