//! The trait behind which records live, and its contract.

mod epoch;
mod error;
mod page;
mod request;
mod shared;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use epoch::{Epoch, Epochs};
pub use error::{Cause, StoreError};
pub use page::{ListOptions, RecordPage};
pub use request::{
    Change, CreateOptions, Created, LimitPolicy, OthersDeleted, Pruned, SecretChange, SessionLimit,
    UserDeleted,
};
pub(crate) use shared::CookieNameInUse;
pub use shared::SharedState;

pub use crate::watermark::{Judged, Marks, Stretch, Watermark};
use crate::{Record, SessionId, Timestamp, UserKey};

/// Keeps records. Nine operations, a moment, a state that managers share, and a contract.
///
/// # Contract
///
/// Whoever implements this trait promises all of it; `sessionup-conformance` has a test for each
/// sentence.
///
/// - **Live.** A session is live while `now` is before both of its deadlines
///   ([`Session::is_live`](crate::Session::is_live)), and at no other time. An expired record is
///   absent to [`fetch`](Store::fetch), [`list_page`](Store::list_page),
///   [`update`](Store::update) and the limit of [`create`](Store::create), whether or not it still lies there; it keeps its id taken
///   until it is deleted. `now` is always an argument; a store never reads a clock to judge a
///   session, nor its [`SharedState::watermark`], and may be asked about an earlier moment than
///   before.
/// - **Faithful.** A record comes back as it was given: times to the millisecond, meta as it was.
/// - **Atomic.** Each operation happens wholly or not at all, also in a crash, and so do its parts:
///   no index entry without its record, no record without its index entries.
/// - **Durable.** Success means that the change survives a crash, as far as this kind of store
///   survives one. The exception is a change that is only a touch
///   ([`Change::as_touch`]): it may be written late or be lost, since that can only shorten
///   a session's life; but it is seen by every read that starts after it was answered.
/// - **Gone is gone.** Once a delete has been answered, no operation that starts later sees the
///   session, and none that was under way brings it back. There is no upsert: `create` never
///   overwrites, `update` never inserts.
/// - **Exact.** User keys are compared byte for byte; the sessions of `ab` have nothing to do with
///   those of `a`.
/// - **Linearizable.** Operations that run at once behave as if each happened at one moment between
///   its call and its answer.
///
/// # What a store is given
///
/// Ids and hashes; never a token. Both come from outside: an id that is looked up may be anything.
/// User keys and meta are within their bounds. Hashes are compared by the manager alone.
///
/// # Errors
///
/// Every operation may fail with [`StoreError::Closed`], [`StoreError::Overloaded`],
/// [`StoreError::Unavailable`] and, if it writes, [`StoreError::OutcomeUnknown`]. A record that
/// cannot be read is [`StoreError::CorruptRecord`], never absent. That a session is missing is an
/// answer, not an error.
///
/// # Cancel safety
///
/// A future that is dropped leaves the state before or after its operation, holds no lock and no
/// place in a queue. A future that was never polled has done nothing.
///
/// # Clone
///
/// A clone of a store, or an [`Arc`] of one, is a handle on the same records and returns the same
/// [`SharedState`].
///
/// # Runtime
///
/// Futures may be polled on any thread, also outside an asynchronous runtime:
/// [`Cleanup`](crate::Cleanup) drives `prune` from a thread of its own. A store that needs a
/// runtime keeps a handle to it.
///
/// Implementers write plain `async fn`s; `examples/store.rs` of this crate is a whole store to begin
/// with. Everybody else takes `Arc<dyn DynStore>`, which is a
/// `Store` too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session store",
    label = "expected a store",
    note = "use `MemoryStore`, `sessionup_redb::RedbStore`, or implement `sessionup_core::Store`"
)]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Returns the present moment in the order of this store's revocations.
    ///
    /// Asks nobody and waits for nothing. [`Epochs`] is all that a store in one process needs.
    fn epoch(&self) -> Epoch;

    /// Returns the state that all managers over this store share. Does no I/O and never waits.
    ///
    /// The store makes it and returns the same one each time; no operation looks at it.
    /// [`SharedState::default`] is all that a store needs whose records are lost with its process.
    /// One that keeps them keeps [`Watermark::marks`] too, with its next change after they have
    /// moved by a minute or so, and [resumes](SharedState::resuming) with them; losing them is no
    /// error.
    fn shared(&self) -> &SharedState;

    /// Returns what the managers of this store know of the time: [`SharedState::watermark`].
    fn watermark(&self) -> &Watermark {
        self.shared().watermark()
    }

    /// Inserts a record whose id is not there yet.
    ///
    /// - id absent: inserted.
    /// - id there, live or expired: [`StoreError::DuplicateId`], nothing changed, also if the limit
    ///   would refuse.
    /// - [`CreateOptions::replaces`]: that session ends in the same step, whoever's it is. It does
    ///   not count against the limit. If it is not there, that is no error.
    /// - [`CreateOptions::limit`]: the user's live sessions of the same kind never exceed it, not
    ///   even for a moment and not under concurrency; what must go is chosen by
    ///   [`SessionLimit::make_room`] and reported in [`Created::evicted`]. Expired records and
    ///   sessions of other kinds do not count.
    /// - [`CreateOptions::begun`]: if a [`delete_user`](Store::delete_user) or
    ///   [`delete_others`](Store::delete_others) of this user or a
    ///   [`delete_all`](Store::delete_all) came after that moment, or if the store cannot tell,
    ///   [`StoreError::Overtaken`], nothing changed.
    ///
    /// # Errors
    ///
    /// [`StoreError::DuplicateId`]; [`StoreError::LimitReached`] if the policy is to refuse, and
    /// then the replaced session lives on; [`StoreError::Full`].
    fn create(
        &self,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> impl Future<Output = Result<Created, StoreError>> + Send;

    /// Returns a record if it is live.
    ///
    /// # Errors
    ///
    /// Those of every operation.
    fn fetch(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Arc<Record>>, StoreError>> + Send;

    /// Returns live records of exactly this user, a page at a time, in the order of their ids.
    ///
    /// - [`ListOptions::after`]: only ids greater than this one, whether or not there is or was a
    ///   session of it. That is the cursor: [`RecordPage::next`] of the page before.
    /// - [`ListOptions::limit`]: at most so many records. A page may hold fewer, even none, although
    ///   more follow: a store bounds what it reads for one page.
    /// - [`ListOptions::kind`]: only sessions of this kind.
    /// - [`RecordPage::next`] is `None` if nothing follows; otherwise it is greater than `after`
    ///   and not less than any id of the page, so that asking on comes to an end.
    ///
    /// One page is read at one moment; the next page may be read at a later one.
    ///
    /// # Errors
    ///
    /// Those of every operation.
    fn list_page(
        &self,
        user: &UserKey,
        options: ListOptions,
        now: Timestamp,
    ) -> impl Future<Output = Result<RecordPage, StoreError>> + Send;

    /// Returns all live records of exactly this user, oldest first, ties by id.
    ///
    /// Reads page after page, so it holds nobody up, and takes memory for all of them.
    ///
    /// # Errors
    ///
    /// Those of [`list_page`](Store::list_page).
    fn list(
        &self,
        user: &UserKey,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Arc<Record>>, StoreError>> + Send {
        async move {
            let mut records = Vec::new();
            let mut options = ListOptions::default().limit(ListOptions::MAX_LIMIT);
            loop {
                let page = self.list_page(user, options.clone(), now).await?;
                records.extend(page.records);
                let Some(next) = page.next else { break };
                options = options.after(next);
            }
            records.sort_by_key(|record| (record.session.created_at, record.session.id));
            Ok(records)
        }
    }

    /// Changes a live record and returns it as it is afterwards.
    ///
    /// - absent or expired: `None`, and nothing is made.
    /// - [`Change::secret`] does not start from what the record holds of secrets, or
    ///   [`Change::meta_was`] is not its meta: `None`, nothing changed.
    /// - otherwise what [`Change::apply`] says: entries of meta are merged by name with those of
    ///   other requests, `last_seen_at` only moves forward.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidMeta`] if the entries would pass a bound, nothing changed.
    fn update(
        &self,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Arc<Record>>, StoreError>> + Send;

    /// Deletes a record; says whether it did.
    ///
    /// With an `owner`, a record of another user is left alone and the answer is the same as for
    /// one that is not there. Check and deletion are one step.
    ///
    /// # Errors
    ///
    /// Those of every operation.
    fn delete(
        &self,
        id: SessionId,
        owner: Option<&UserKey>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Deletes all records of exactly this user, of every kind, but those in `except`, in one step:
    /// all or none. Logins of the user that began before are overtaken, see [`Store::create`],
    /// whatever is excepted and also if there was nothing to delete. Says how many were deleted, and
    /// from which moment on logins are not overtaken, before and after it.
    ///
    /// # Errors
    ///
    /// Those of every operation.
    fn delete_user(
        &self,
        user: &UserKey,
        except: &[SessionId],
    ) -> impl Future<Output = Result<UserDeleted, StoreError>> + Send;

    /// Deletes all records of exactly this user, of every kind, but one, and changes that one, in one
    /// step. For a changed password.
    ///
    /// - `id` names a live record of this user, and `change` [applies](Change::apply) to it: it is
    ///   kept, changed, and returned in [`OthersDeleted::kept`].
    /// - otherwise it is deleted like the others: nobody keeps a session that the caller did not
    ///   know as it is.
    ///
    /// Logins of the user that began before are overtaken as by [`delete_user`](Store::delete_user).
    /// If the outcome is unknown and the others end, that one is changed or ends as well: it never
    /// stays as it was.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidMeta`] if the entries would pass a bound, nothing changed.
    fn delete_others(
        &self,
        user: &UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> impl Future<Output = Result<OthersDeleted, StoreError>> + Send;

    /// Deletes the records of all users, in one step: all or none. Logins of every user that began
    /// before are overtaken, see [`Store::create`]. Says how many were deleted.
    ///
    /// # Errors
    ///
    /// Those of every operation.
    fn delete_all(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Deletes at most `at_most` expired records.
    ///
    /// What is expired is decided in the same step that deletes it: a session that was used in the
    /// meantime stays. A store may stop earlier than `at_most` to let others write; then
    /// [`Pruned::more`] is set.
    ///
    /// # Errors
    ///
    /// Those of every operation.
    fn prune(
        &self,
        now: Timestamp,
        at_most: usize,
    ) -> impl Future<Output = Result<Pruned, StoreError>> + Send;
}

/// The future of a [`DynStore`].
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The object-safe twin of [`Store`]. Implemented for every store; not to be implemented by hand.
pub trait DynStore: fmt::Debug + Send + Sync + 'static {
    /// [`Store::epoch`].
    fn epoch_dyn(&self) -> Epoch;

    /// [`Store::shared`].
    fn shared_dyn(&self) -> &SharedState;

    /// [`Store::create`].
    fn create_dyn(
        &self,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> StoreFuture<'_, Created>;

    /// [`Store::fetch`].
    fn fetch_dyn(&self, id: SessionId, now: Timestamp) -> StoreFuture<'_, Option<Arc<Record>>>;

    /// [`Store::list_page`].
    fn list_page_dyn<'a>(
        &'a self,
        user: &'a UserKey,
        options: ListOptions,
        now: Timestamp,
    ) -> StoreFuture<'a, RecordPage>;

    /// [`Store::update`].
    fn update_dyn(
        &self,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> StoreFuture<'_, Option<Arc<Record>>>;

    /// [`Store::delete`].
    fn delete_dyn<'a>(&'a self, id: SessionId, owner: Option<&'a UserKey>)
    -> StoreFuture<'a, bool>;

    /// [`Store::delete_user`].
    fn delete_user_dyn<'a>(
        &'a self,
        user: &'a UserKey,
        except: &'a [SessionId],
    ) -> StoreFuture<'a, UserDeleted>;

    /// [`Store::delete_others`].
    fn delete_others_dyn<'a>(
        &'a self,
        user: &'a UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> StoreFuture<'a, OthersDeleted>;

    /// [`Store::delete_all`].
    fn delete_all_dyn(&self) -> StoreFuture<'_, u64>;

    /// [`Store::prune`].
    fn prune_dyn(&self, now: Timestamp, at_most: usize) -> StoreFuture<'_, Pruned>;
}

impl<S: Store> DynStore for S {
    fn epoch_dyn(&self) -> Epoch {
        self.epoch()
    }

    fn shared_dyn(&self) -> &SharedState {
        self.shared()
    }

    fn create_dyn(
        &self,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> StoreFuture<'_, Created> {
        Box::pin(self.create(record, options, now))
    }

    fn fetch_dyn(&self, id: SessionId, now: Timestamp) -> StoreFuture<'_, Option<Arc<Record>>> {
        Box::pin(self.fetch(id, now))
    }

    fn list_page_dyn<'a>(
        &'a self,
        user: &'a UserKey,
        options: ListOptions,
        now: Timestamp,
    ) -> StoreFuture<'a, RecordPage> {
        Box::pin(self.list_page(user, options, now))
    }

    fn update_dyn(
        &self,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> StoreFuture<'_, Option<Arc<Record>>> {
        Box::pin(self.update(id, change, now))
    }

    fn delete_dyn<'a>(
        &'a self,
        id: SessionId,
        owner: Option<&'a UserKey>,
    ) -> StoreFuture<'a, bool> {
        Box::pin(self.delete(id, owner))
    }

    fn delete_user_dyn<'a>(
        &'a self,
        user: &'a UserKey,
        except: &'a [SessionId],
    ) -> StoreFuture<'a, UserDeleted> {
        Box::pin(self.delete_user(user, except))
    }

    fn delete_others_dyn<'a>(
        &'a self,
        user: &'a UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> StoreFuture<'a, OthersDeleted> {
        Box::pin(self.delete_others(user, id, change, now))
    }

    fn delete_all_dyn(&self) -> StoreFuture<'_, u64> {
        Box::pin(self.delete_all())
    }

    fn prune_dyn(&self, now: Timestamp, at_most: usize) -> StoreFuture<'_, Pruned> {
        Box::pin(self.prune(now, at_most))
    }
}

impl Store for Arc<dyn DynStore> {
    fn epoch(&self) -> Epoch {
        (**self).epoch_dyn()
    }

    fn shared(&self) -> &SharedState {
        (**self).shared_dyn()
    }

    async fn create(
        &self,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        (**self).create_dyn(record, options, now).await
    }

    async fn fetch(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        (**self).fetch_dyn(id, now).await
    }

    async fn list_page(
        &self,
        user: &UserKey,
        options: ListOptions,
        now: Timestamp,
    ) -> Result<RecordPage, StoreError> {
        (**self).list_page_dyn(user, options, now).await
    }

    async fn update(
        &self,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        (**self).update_dyn(id, change, now).await
    }

    async fn delete(&self, id: SessionId, owner: Option<&UserKey>) -> Result<bool, StoreError> {
        (**self).delete_dyn(id, owner).await
    }

    async fn delete_user(
        &self,
        user: &UserKey,
        except: &[SessionId],
    ) -> Result<UserDeleted, StoreError> {
        (**self).delete_user_dyn(user, except).await
    }

    async fn delete_others(
        &self,
        user: &UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<OthersDeleted, StoreError> {
        (**self).delete_others_dyn(user, id, change, now).await
    }

    async fn delete_all(&self) -> Result<u64, StoreError> {
        (**self).delete_all_dyn().await
    }

    async fn prune(&self, now: Timestamp, at_most: usize) -> Result<Pruned, StoreError> {
        (**self).prune_dyn(now, at_most).await
    }
}

/// Conveniences for everybody who uses a store. Not to be implemented by hand.
pub trait StoreExt: Store {
    /// Deletes all expired records in batches of `batch`, and says how many.
    ///
    /// # Errors
    ///
    /// The first error of [`Store::prune`]; what was deleted before it stays deleted.
    fn prune_all(
        &self,
        now: Timestamp,
        batch: std::num::NonZeroUsize,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send {
        async move {
            let mut deleted = 0_u64;
            loop {
                let pruned = self.prune(now, batch.get()).await?;
                deleted = deleted.saturating_add(pruned.deleted);
                if !pruned.more {
                    return Ok(deleted);
                }
            }
        }
    }

    /// Makes the store a shared object, as [`Manager`](crate::Manager) holds it.
    fn into_dyn(self) -> Arc<dyn DynStore>
    where
        Self: Sized,
    {
        Arc::new(self)
    }
}

impl<S: Store> StoreExt for S {}
