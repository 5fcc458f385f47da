//! What handlers do to the application's own entries.

use serde::Serialize;

use crate::sessions::{CurrentSession, Sessions};
use crate::{Error, Meta, MetaChange, StoreError};

impl Sessions {
    /// Sets an entry of the session's meta. Entries that other requests set meanwhile stay.
    ///
    /// Users see all entries in their list of sessions.
    ///
    /// # Errors
    ///
    /// [`Error::NoSession`], [`Error::Meta`], [`Error::Store`].
    pub async fn set_meta(
        &self,
        key: impl Into<String> + Send,
        value: impl Serialize + Send,
    ) -> Result<(), Error> {
        let change = MetaChange::new().set(key, value)?;
        self.change_meta(change).await
    }

    /// Removes an entry of the session's meta; it may be absent.
    ///
    /// # Errors
    ///
    /// [`Error::NoSession`], [`Error::Store`].
    pub async fn remove_meta(&self, key: impl Into<String> + Send) -> Result<(), Error> {
        self.change_meta(MetaChange::new().remove(key)).await
    }

    /// Sets and removes entries of the session's meta in one step.
    ///
    /// # Errors
    ///
    /// [`Error::NoSession`]; [`Error::Store`], with
    /// [`StoreError::InvalidMeta`](crate::StoreError::InvalidMeta) if a bound would be passed.
    pub async fn change_meta(&self, change: MetaChange) -> Result<(), Error> {
        let proven = self.live().await?.ok_or(Error::NoSession)?;
        let changed = self.visit.manager.change_meta(&proven, &change).await?;
        self.take_on(&proven, changed).map(drop)
    }

    /// Changes entries of the session's meta by what they are now, without losing what other
    /// requests change meanwhile.
    ///
    /// `work_out` is given the entries and returns what to set and to remove. It is asked again if
    /// another request was faster, so it should do nothing else. Returns the session as it is
    /// afterwards.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use sessionup_core::{Error, Manager, MemoryStore, MetaChange, Peer};
    /// # let manager = Manager::builder(MemoryStore::new()).build()?;
    /// # let sessions = manager.sessions([], Peer::default());
    /// # sessions.init("ann").await?;
    /// let session = sessions
    ///     .update_meta_with(|meta| {
    ///         let visits = meta.get::<u32>("visits")?.unwrap_or_default();
    ///         Ok::<_, Error>(MetaChange::new().set("visits", visits + 1)?)
    ///     })
    ///     .await?;
    /// assert_eq!(session.meta.get::<u32>("visits")?, Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// That of `work_out`; those of [`change_meta`](Sessions::change_meta).
    pub async fn update_meta_with<E>(
        &self,
        work_out: impl FnMut(&Meta) -> Result<MetaChange, E> + Send,
    ) -> Result<CurrentSession, E>
    where
        E: From<Error> + From<StoreError> + Send,
    {
        let proven = self.live().await?.ok_or(Error::NoSession)?;
        let manager = &self.visit.manager;
        let changed = manager.change_meta_with(&proven, work_out).await?;
        Ok(self.take_on(&proven, changed)?)
    }
}
