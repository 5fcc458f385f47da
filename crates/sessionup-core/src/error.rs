//! What an action on a session can fail with.

use crate::{InvalidUserKey, MetaError, RandomError, StoreError};

/// Why an action on sessions failed.
///
/// Handlers of axum return `sessionup::HttpError` instead, to which `?` converts; this type is no
/// response.
///
/// Each variant says who has to act: the application (`Meta`, `UserKey`), the client
/// (`NoSession`), the machine (`Random`), or whoever keeps the store (`Store`).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An entry of meta is out of bounds or of another type.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The action needs a session, and the request has none, or it ended meanwhile.
    #[error("request has no session")]
    NoSession,
    /// The user proved who they are too long ago for what is to be done. Ask for the password again.
    #[error("user has to authenticate again")]
    NotFresh,
    /// No token could be made.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The user key is out of bounds.
    #[error(transparent)]
    UserKey(#[from] InvalidUserKey),
}
