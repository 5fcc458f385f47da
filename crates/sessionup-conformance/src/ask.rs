//! Questions that clauses put to a store, and what they expect for an answer.

use std::ops::Range;
use std::sync::Arc;

use sessionup_core::{
    Change, CreateOptions, Created, ListOptions, OthersDeleted, Pruned, Record, RecordPage,
    SecretHash, SessionId, Store, StoreError, Timestamp, UserDeleted, UserKey,
};

use crate::Fixture;
use crate::sample::{DAY, ann, at, record_of, records};

/// The operations, failing where the contract allows no error.
impl Fixture {
    pub(crate) async fn try_create(
        &self,
        record: &Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.store().create(record.clone(), options, now).await
    }

    pub(crate) async fn create_with(
        &self,
        record: &Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> Created {
        let created = self.try_create(record, options, now).await;
        must("create", created)
    }

    pub(crate) async fn create(&self, record: &Record, now: Timestamp) {
        let created = self.create_with(record, CreateOptions::default(), now);
        assert_answer!(
            created.await,
            Created::default(),
            "a plain create ends no session"
        );
    }

    pub(crate) async fn fetch(&self, id: SessionId, now: Timestamp) -> Option<Arc<Record>> {
        let fetched = must("fetch", self.store().fetch(id, now).await);
        expect_named(id, fetched.as_deref());
        fetched
    }

    pub(crate) async fn list(&self, user: &UserKey, now: Timestamp) -> Vec<Arc<Record>> {
        let list = must("list", self.store().list(user, now).await);
        for record in &list {
            let owner = &record.session.user_key;
            assert_answer!(owner, user, "a list has the sessions of exactly this user");
        }
        list
    }

    /// Returns a page, which must keep its bounds.
    pub(crate) async fn page(
        &self,
        user: &UserKey,
        options: ListOptions,
        now: Timestamp,
    ) -> RecordPage {
        let page = self.store().list_page(user, options.clone(), now).await;
        let page = must("list_page", page);
        let ids: Vec<_> = page
            .records
            .iter()
            .map(|record| record.session.id)
            .collect();
        for record in &page.records {
            let owner = &record.session.user_key;
            assert_eq!(owner, user, "a page has the sessions of exactly this user");
        }
        let (limit, after) = (options.limit.get(), options.after);
        assert!(
            ids.len() <= limit,
            "a page has at most {limit} sessions: {ids:?}"
        );
        if let (Some(after), Some(first)) = (after, ids.first()) {
            assert!(
                *first > after,
                "a page begins behind its cursor {after}: {ids:?}"
            );
        }
        if let Some(next) = page.next {
            let least = ids.last().copied().max(after);
            assert!(
                least.is_none_or(|least| next >= least) && Some(next) != after,
                "the next cursor {next} is behind {least:?}"
            );
        }
        page
    }

    /// Returns the ids of all pages, asked for one after the other.
    pub(crate) async fn pages(
        &self,
        user: &UserKey,
        mut options: ListOptions,
        now: Timestamp,
    ) -> Vec<SessionId> {
        let mut ids = Vec::new();
        loop {
            let page = self.page(user, options.clone(), now).await;
            ids.extend(page.records.iter().map(|record| record.session.id));
            let Some(next) = page.next else { return ids };
            options = options.after(next);
        }
    }

    pub(crate) async fn listed_ids(&self, user: &UserKey, now: Timestamp) -> Vec<SessionId> {
        let list = self.list(user, now).await;
        list.iter().map(|record| record.session.id).collect()
    }

    pub(crate) async fn update(
        &self,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Option<Arc<Record>> {
        let updated = must("update", self.store().update(id, change, now).await);
        expect_named(id, updated.as_deref());
        updated
    }

    pub(crate) async fn delete(&self, id: SessionId, owner: Option<&UserKey>) -> bool {
        must("delete", self.store().delete(id, owner).await)
    }

    pub(crate) async fn delete_user(&self, user: &UserKey, except: &[SessionId]) -> u64 {
        self.delete_user_and_tell(user, except).await.deleted
    }

    pub(crate) async fn delete_user_and_tell(
        &self,
        user: &UserKey,
        except: &[SessionId],
    ) -> UserDeleted {
        must("delete_user", self.store().delete_user(user, except).await)
    }

    pub(crate) async fn delete_others(
        &self,
        user: &UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> OthersDeleted {
        let deleted = self.store().delete_others(user, id, change, now).await;
        let deleted = must("delete_others", deleted);
        expect_named(id, deleted.kept.as_deref());
        if let Some(kept) = &deleted.kept {
            let owner = &kept.session.user_key;
            assert_eq!(owner, user, "the kept session is one of exactly this user");
        }
        deleted
    }

    pub(crate) async fn delete_all(&self) -> u64 {
        must("delete_all", self.store().delete_all().await)
    }

    pub(crate) async fn prune(&self, now: Timestamp, at_most: usize) -> Pruned {
        let pruned = must("prune", self.store().prune(now, at_most).await);
        let bound = u64::try_from(at_most).unwrap_or(u64::MAX);
        assert!(
            pruned.deleted <= bound,
            "prune deletes at most {at_most} records, said {pruned:?}"
        );
        pruned
    }

    /// Prunes in batches until no more is said to remain; returns how many were deleted.
    pub(crate) async fn prune_all(&self, now: Timestamp, batch: usize) -> u64 {
        const ROUNDS: usize = 10_000;
        let mut deleted = 0;
        for _ in 0..ROUNDS {
            let pruned = self.prune(now, batch).await;
            deleted += pruned.deleted;
            if !pruned.more {
                return deleted;
            }
        }
        panic!("prune still says that more remains, after {ROUNDS} rounds");
    }
}

/// What is to be found after an operation. `why` is what the contract says.
impl Fixture {
    /// The session is found by both ways, exactly as given.
    pub(crate) async fn expect_there(&self, record: &Record, now: Timestamp, why: &str) {
        let id = record.session.id;
        let fetched = self.fetch(id, now).await;
        expect_same(fetched.as_deref(), record, why, "fetched");
        let list = self.list(&record.session.user_key, now).await;
        let listed = list.iter().find(|listed| listed.session.id == id);
        expect_same(listed.map(Arc::as_ref), record, why, "listed");
    }

    /// The session is found by neither way.
    pub(crate) async fn expect_gone(&self, record: &Record, now: Timestamp, why: &str) {
        let id = record.session.id;
        let fetched = self.fetch(id, now).await;
        assert!(fetched.is_none(), "{why}: but it was fetched: {fetched:?}");
        let listed = self.listed_ids(&record.session.user_key, now).await;
        assert!(!listed.contains(&id), "{why}: but {id} was listed");
    }

    /// The list of a user has these ids, in this order.
    pub(crate) async fn expect_list(
        &self,
        user: &UserKey,
        ids: &[SessionId],
        now: Timestamp,
        why: &str,
    ) {
        let listed = self.listed_ids(user, now).await;
        assert_answer!(listed, ids, "{why}: list of {user:?}");
    }

    /// Of these records, a user's list has exactly those that fetch returns, and in the same state.
    pub(crate) async fn expect_agreement(&self, records: &[Record], now: Timestamp, why: &str) {
        for record in records {
            match self.fetch(record.session.id, now).await {
                Some(fetched) => self.expect_there(&fetched, now, why).await,
                None => self.expect_gone(record, now, why).await,
            }
        }
    }

    /// A deletion of the others that renews the kept session is seen as a whole or not at all.
    ///
    /// `before` holds all sessions of one user as they were, the kept one included. Reads one after the
    /// other: once one of them shows the deletion, so does every later one.
    pub(crate) async fn expect_whole_delete_others(
        &self,
        before: &[Record],
        kept: SessionId,
        renewed: SecretHash,
        now: Timestamp,
    ) {
        let user = &before[0].session.user_key;
        let list = self.list(user, now).await;
        let listed = list.iter().find(|record| record.session.id == kept);
        let listed = listed.expect("the kept session is listed at every moment");
        let mut is_done = listed.secret_hash == renewed;
        let expected = if is_done { 1 } else { before.len() };
        assert_eq!(
            list.len(),
            expected,
            "sessions listed while the secret of the kept one is renewed: {is_done}"
        );
        for record in before {
            let id = record.session.id;
            let fetched = self.fetch(id, now).await;
            let shows_it = if id == kept {
                let fetched = fetched.expect("the kept session is there at every moment");
                fetched.secret_hash == renewed
            } else {
                fetched.is_none()
            };
            assert!(
                shows_it || !is_done,
                "others were deleted in more than one step: {id} was still as before"
            );
            is_done = shows_it;
        }
    }

    /// A deletion of all sessions is seen as a whole or not at all.
    ///
    /// `before` holds sessions that were all there at one moment. Reads one after the other: once one of
    /// them shows the deletion, so does every later one.
    pub(crate) async fn expect_whole_delete_all(&self, before: &[Record], now: Timestamp) {
        let mut is_done = false;
        let mut expect_order = |shows_it: bool, what: &dyn std::fmt::Debug| {
            assert!(
                shows_it || !is_done,
                "all were deleted in more than one step: {what:?} was still there"
            );
            is_done = shows_it;
        };
        for record in before.iter().chain(before.iter().rev()) {
            let (user, id) = (&record.session.user_key, record.session.id);
            let fetched = self.fetch(id, now).await;
            expect_order(fetched.is_none(), &id);
            let listed = self.listed_ids(user, now).await;
            let of_user = before
                .iter()
                .filter(|other| other.session.user_key == *user);
            let all = of_user.clone().count();
            let left = of_user.filter(|other| listed.contains(&other.session.id));
            let left = left.count();
            assert!(
                left == 0 || left == all,
                "all or none are deleted, but {left} of {all} were listed"
            );
            expect_order(left == 0, user);
        }
    }

    /// Nothing is left of Ann's sessions of these numbers, which were deleted in one step: no operation
    /// finds one, their ids are free, and what is made anew with them stays. `kept` is still there.
    pub(crate) async fn expect_no_trace(&self, numbers: Range<u32>, kept: &[SessionId], why: &str) {
        let samples = [
            numbers.start,
            (numbers.start + numbers.end) / 2,
            numbers.end - 1,
        ];
        self.expect_list(&ann(), kept, at(0), why).await;
        for record in records(samples) {
            let id = record.session.id;
            self.expect_gone(&record, at(0), why).await;
            let touched = self.update(id, Change::touch(at(0)), at(0)).await;
            assert_answer!(touched, None, "{why}: nothing is there to update");
            assert_answer!(self.delete(id, None).await, false, "{why}: deleted before");
        }
        let anew = samples.map(|n| record_of("bob", n));
        for record in &anew {
            self.expect_no_record(record, at(0), why).await;
        }
        for record in &anew {
            self.expect_there(record, at(0), why).await;
        }
        let pruned = self.prune_all(at(DAY), 100).await;
        let others = (kept.len() + anew.len()) as u64;
        assert_answer!(pruned, others, "{why}: prune finds none of them");
    }

    /// No record of this id lies there, live or expired. Creates it, as only that tells.
    pub(crate) async fn expect_no_record(&self, record: &Record, now: Timestamp, why: &str) {
        let created = self.try_create(record, CreateOptions::default(), now).await;
        assert!(
            created.is_ok(),
            "{why}, so its id is free: create said {created:?}"
        );
    }
}

/// The create was refused because of the id.
pub(crate) fn expect_duplicate(created: &Result<Created, StoreError>, why: &str) {
    assert!(
        matches!(created, Err(StoreError::DuplicateId)),
        "{why}: expected DuplicateId, create said {created:?}"
    );
}

fn expect_named(id: SessionId, found: Option<&Record>) {
    if let Some(found) = found {
        assert_answer!(found.session.id, id, "an id finds its own session only");
    }
}

fn expect_same(found: Option<&Record>, expected: &Record, why: &str, how: &str) {
    let id = expected.session.id;
    let Some(found) = found else {
        panic!("{why}: session {id} was not {how}");
    };
    assert_answer!(found.session, expected.session, "{why}: as it was {how}");
    assert!(
        found.secret_hash == expected.secret_hash,
        "{why}: session {id} was {how} with another secret hash"
    );
    assert!(
        found.replaced == expected.replaced,
        "{why}: session {id} was {how} with another former secret"
    );
}

fn must<T>(operation: &str, outcome: Result<T, StoreError>) -> T {
    outcome.unwrap_or_else(|error| panic!("{operation} must succeed here, it failed: {error:?}"))
}
