//! Seeded defects, which the fault programme must catch. They are compiled under
//! `--cfg sessionup_defects` alone, and then at most one of them is in force.

use std::fmt;
use std::sync::LazyLock;

/// Names the environment variable that chooses the defect.
pub const VARIABLE: &str = "SESSIONUP_DEFECT";

macro_rules! defects {
    ($($(#[doc = $doc:literal])+ $name:ident $text:literal,)+) => {
        /// A defect that can be seeded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Defect {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Defect {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// What is wrong with it in place, in a line.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

defects! {
    /// Callers are answered before the commit, not after its sync.
    AnswerBeforeSync "answer-before-sync",
    /// Transactions that only end sessions are committed without a sync.
    RevokeWithoutSync "revoke-without-sync",
    /// The entry in the user index is written by a second transaction.
    IndexLater "index-later",
    /// A login that replaces a session ends it in a first transaction and begins in a second one.
    DeleteBeforeCreate "delete-before-create",
    /// A create overwrites the record that has its id.
    Upsert "upsert",
    /// Cleanup decides by what was on the disk before, not within its transaction.
    TwoPhaseCleanup "two-phase-cleanup",
    /// A commit that failed is reported as success.
    IgnoredCommitError "ignored-commit-error",
    /// A sync that failed is tried once more in place, and its second result counts.
    RetriedSync "retried-sync",
    /// A session lives at the moment of its deadline.
    BoundaryIncluded "boundary-included",
    /// Sessions whose end is in doubt are not refused.
    NoTombstone "no-tombstone",
    /// Doubts are forgotten before the transaction that settles them is durable.
    DoubtsForgotten "doubts-forgotten",
    /// The file says that sessions are entered in the user index before they are.
    EnteredEarly "entered-early",
    /// Sessions that are not yet entered in the user index are not looked for when a file is opened.
    UnlistedForgotten "unlisted-forgotten",
    /// Tombstones are not looked for when a file is opened.
    TombstonesForgotten "tombstones-forgotten",
    /// A tombstone is removed before the last of its records is deleted.
    TombstoneRemovedEarly "tombstone-removed-early",
    /// The queue has no bound.
    UnboundedQueue "unbounded-queue",
    /// Lookups come from a cache that nobody tells what was changed.
    StaleCache "stale-cache",
    /// The directory of a new file is not synced.
    DirectoryNotSynced "directory-not-synced",
    /// Uses that wait are not written when the store closes.
    UsesNotWritten "uses-not-written",
    /// Uses are taken note of while the end of their session is being decided.
    NoFence "no-fence",
    /// A session is changed although it has expired.
    ExpiredUpdated "expired-updated",
    /// The owner of a session that is revoked by its id is not compared.
    OwnerNotCompared "owner-not-compared",
    /// A login that began before all of the user's sessions were revoked is let through.
    EpochIgnored "epoch-ignored",
    /// Bytes of a record are believed whatever its check value says.
    CheckIgnored "check-ignored",
    /// Names of cookies are trimmed of more than spaces and tabs.
    UnicodeTrim "unicode-trim",
    /// Names of cookies are percent-decoded.
    PercentDecodedName "percent-decoded-name",
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Returns the defect that is in force.
///
/// # Panics
///
/// If the variable names none that there is.
#[must_use]
pub fn seeded() -> Option<Defect> {
    static SEEDED: LazyLock<Option<Defect>> = LazyLock::new(|| {
        let name = std::env::var(VARIABLE).ok()?;
        let known = Defect::ALL.iter().find(|defect| defect.name() == name);
        assert!(known.is_some(), "there is no defect {name:?}");
        known.copied()
    });
    *SEEDED
}
