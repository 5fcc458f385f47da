//! What can go wrong in a store, named for what the caller can do about it.

use std::error::Error;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::{MetaError, SessionId};

/// The store's own error beneath a [`StoreError`].
///
/// Shared, because one failed commit answers many callers.
pub type Cause = Arc<dyn Error + Send + Sync + 'static>;

/// Why a store could not do what it was asked.
///
/// That a session is missing or expired is not an error. The text names this layer only; the
/// store's own error is the [`source`](Error::source).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store was closed. Open it anew.
    #[error("session store is closed, open it anew")]
    Closed,
    /// A record could not be read, or is not the one its key names. It is left as it is; nobody is
    /// logged in by it.
    #[error("record of session {id} is damaged, revoke the session")]
    CorruptRecord {
        /// Whose record it is.
        id: SessionId,
        /// What is wrong with it.
        #[source]
        source: Cause,
    },
    /// A session of this id exists. Make another id.
    #[error("session id is taken, make another one")]
    DuplicateId,
    /// There is no room for another session. Reading and revoking go on.
    #[error("session store is full, make room for new sessions")]
    Full {
        /// The store's own error, if it has one.
        #[source]
        source: Option<Cause>,
    },
    /// The entries of a session would pass a bound of [`Meta`](crate::Meta).
    #[error("meta of the session is out of bounds")]
    InvalidMeta(
        #[from]
        #[source]
        MetaError,
    ),
    /// The user has as many sessions as allowed, and the policy is to refuse another.
    #[error("user has reached the limit of {limit} sessions")]
    LimitReached {
        /// How many are allowed.
        limit: NonZeroU32,
    },
    /// The store failed while it made the change durable: it may or may not have happened. Report no
    /// success. A session whose end is in doubt is refused until the doubt is resolved.
    #[error("session store failed in mid-write, the outcome is unknown")]
    OutcomeUnknown {
        /// The store's own error.
        #[source]
        source: Cause,
    },
    /// All sessions of the user were revoked since the login began. Begin it again.
    #[error(
        "all sessions of the user were revoked since this login began: begin it again. A request \
         that revokes and then logs in must do both through its `Sessions`"
    )]
    Overtaken,
    /// More is waiting than the store takes on. Nothing was changed; try again later.
    #[error("session store is overloaded, try again later")]
    Overloaded,
    /// The store could not be asked. Nothing was changed; try again later.
    #[error("session store is unavailable, try again later")]
    Unavailable {
        /// The store's own error.
        #[source]
        source: Cause,
    },
}

impl StoreError {
    /// Wraps a store's own error as [`StoreError::Unavailable`].
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable {
            source: Arc::from(source.into()),
        }
    }

    /// Wraps a store's own error as [`StoreError::OutcomeUnknown`].
    pub fn outcome_unknown(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::OutcomeUnknown {
            source: Arc::from(source.into()),
        }
    }

    /// Wraps what is wrong with a record as [`StoreError::CorruptRecord`].
    pub fn corrupt(id: SessionId, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::CorruptRecord {
            id,
            source: Arc::from(source.into()),
        }
    }

    /// Says whether the same call may succeed later without anybody doing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::OutcomeUnknown { .. } | Self::Overloaded | Self::Unavailable { .. } => true,
            Self::Closed
            | Self::CorruptRecord { .. }
            | Self::DuplicateId
            | Self::Full { .. }
            | Self::InvalidMeta(_)
            | Self::LimitReached { .. }
            | Self::Overtaken => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meta_error_becomes_a_store_error() {
        fn apply(change: Result<(), MetaError>) -> Result<(), StoreError> {
            Ok(change?)
        }
        let error = apply(Err(MetaError::TooMany { entries: 65 })).unwrap_err();
        assert!(matches!(error, StoreError::InvalidMeta(_)), "{error:?}");
        assert!(!error.is_retryable());
    }
}
