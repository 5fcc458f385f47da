//! Whatever is asked in whatever order.

use sessionup_core::LimitPolicy::{EvictLeastRecentlySeen, EvictOldest, Refuse};
use std::num::NonZeroUsize;

use sessionup_core::{
    Change, CreateOptions, Created, Kind, ListOptions, MemoryStore, Record, SessionId, StoreError,
    Timestamp, UserKey,
};

use crate::Fixture;
use crate::sample::{at, entries, hash, id, kinds, limited, ms, record, user};

/// The answers are those of [`MemoryStore`], the reference reading of the contract.
pub async fn answers_are_those_of_the_reference(fixture: &Fixture) {
    let mut run = Run {
        subject: fixture,
        reference: &Fixture::new(MemoryStore::new()),
        dice: Dice(0x5e55_1045),
        now: 0,
    };
    for step in 0..1_000 {
        run.step(step).await;
    }
}

const IDS: u32 = 24;
const USERS: [&str; 3] = ["a", "ab", "b"];

/// The same operations on two stores, at times that only move forward.
struct Run<'a> {
    subject: &'a Fixture,
    reference: &'a Fixture,
    dice: Dice,
    now: i64,
}

impl Run<'_> {
    async fn step(&mut self, step: u32) {
        self.now += i64::from(self.dice.below(20));
        let why = match self.dice.below(64) {
            0..=26 => self.create().await,
            27..=44 => self.update().await,
            45..=50 => self.delete().await,
            51..=52 => self.delete_user().await,
            53..=55 => self.delete_others().await,
            56 => self.delete_all().await,
            57..=60 => self.prune().await,
            _ => "nothing was asked",
        };
        self.compare_all(&format!("step {step}, {why}")).await;
        self.compare_page(&format!("step {step}, {why}")).await;
    }

    async fn create(&mut self) -> &'static str {
        let record = self.record();
        let mut options = self.limit();
        let replaced = id(self.dice.below(IDS));
        // Whether an expired session counts as replaced is left open.
        if self.reference.fetch(replaced, self.now()).await.is_some() && self.dice.below(3) == 0 {
            options = options.replacing(Some(replaced));
        }
        let now = self.now();
        let subject = comparable(self.subject.try_create(&record, options, now).await);
        let reference = comparable(self.reference.try_create(&record, options, now).await);
        assert_answer!(subject, reference, "create of {record:?} with {options:?}");
        "after a create"
    }

    async fn update(&mut self) -> &'static str {
        let (id, change, now) = (self.id(), self.change(), self.now());
        let subject = self.subject.update(id, change.clone(), now).await;
        let reference = self.reference.update(id, change.clone(), now).await;
        assert_answer!(subject, reference, "update of {id} with {change:?}");
        "after an update"
    }

    async fn delete(&mut self) -> &'static str {
        let id = self.id();
        let owner = (self.dice.below(2) == 0).then(|| self.user());
        let subject = self.subject.delete(id, owner.as_ref()).await;
        let reference = self.reference.delete(id, owner.as_ref()).await;
        assert_answer!(subject, reference, "delete of {id} as {owner:?}");
        "after a delete"
    }

    async fn delete_user(&mut self) -> &'static str {
        let (user, except) = (self.user(), [self.id(), self.id()]);
        let subject = self.subject.delete_user(&user, &except).await;
        let reference = self.reference.delete_user(&user, &except).await;
        assert_answer!(subject, reference, "delete of {user:?} but {except:?}");
        "after a delete of a user"
    }

    async fn delete_others(&mut self) -> &'static str {
        let (user, change, now) = (self.user(), self.change(), self.now());
        // Often one of the user's own.
        let own = self.reference.listed_ids(&user, now).await;
        let id = match own.get(self.dice.below(5) as usize) {
            Some(own) => *own,
            None => self.id(),
        };
        let (subject, reference) = (self.subject, self.reference);
        let subject = subject.delete_others(&user, id, change.clone(), now).await;
        let reference = reference
            .delete_others(&user, id, change.clone(), now)
            .await;
        let what = format!("delete of the others of {user:?} than {id} with {change:?}");
        assert_answer!(subject.kept, reference.kept, "kept by {what}");
        assert_answer!(subject.deleted, reference.deleted, "number, {what}");
        "after a delete of others"
    }

    async fn delete_all(&mut self) -> &'static str {
        let subject = self.subject.delete_all().await;
        let reference = self.reference.delete_all().await;
        assert_answer!(subject, reference, "number of all that were deleted");
        "after a delete of all"
    }

    async fn prune(&mut self) -> &'static str {
        let batch = 1 + self.dice.below(5) as usize;
        let subject = self.subject.prune_all(self.now(), batch).await;
        let reference = self.reference.prune_all(self.now(), batch).await;
        assert_answer!(subject, reference, "prune of all that has expired");
        "after a prune"
    }

    async fn compare_all(&self, why: &str) {
        for user in USERS.map(user) {
            let subject = self.subject.list(&user, self.now()).await;
            let reference = self.reference.list(&user, self.now()).await;
            assert_answer!(subject, reference, "{why}: list of {user:?}");
        }
        for id in (0..IDS).map(id) {
            let subject = self.subject.fetch(id, self.now()).await;
            let reference = self.reference.fetch(id, self.now()).await;
            assert_answer!(subject, reference, "{why}: fetch of {id}");
        }
    }

    /// Compares one page, up to where it says that it ends, and all pages from the same cursor on.
    async fn compare_page(&mut self, why: &str) {
        let (user, now) = (self.user(), self.now());
        let kind = (self.dice.below(2) == 0).then(|| self.kind());
        let after = (self.dice.below(3) > 0).then(|| self.id());
        let limit = 1 + self.dice.below(7) as usize;
        let options = ListOptions::default()
            .kind(kind)
            .after(after)
            .limit(NonZeroUsize::new(limit).unwrap());

        let all = self.reference.pages(&user, options.clone(), now).await;
        let pages = self.subject.pages(&user, options.clone(), now).await;
        assert_answer!(pages, all, "{why}: pages of {user:?} by {options:?}");
        let page = self.subject.page(&user, options.clone(), now).await;
        let is_on_page = |id: &&SessionId| page.next.is_none_or(|next| **id <= next);
        let mut expected = Vec::new();
        for id in all.iter().filter(is_on_page) {
            expected.extend(self.reference.fetch(*id, now).await);
        }
        assert_answer!(
            page.records,
            expected,
            "{why}: page of {user:?} by {options:?}, up to {:?}",
            page.next
        );
    }

    fn record(&mut self) -> Record {
        let mut record = record(self.dice.below(IDS));
        record.secret_hash = hash(self.dice.below(2));
        let session = &mut record.session;
        session.user_key = self.user();
        session.kind = self.kind();
        session.created_at = at(self.now - i64::from(self.dice.below(50)));
        session.last_seen_at = at(self.now);
        session.expires_at = self.later();
        let idle = u64::from(1 + self.dice.below(300));
        session.idle_timeout = (self.dice.below(2) == 0).then(|| ms(idle));
        record
    }

    fn limit(&mut self) -> CreateOptions {
        match self.dice.below(6) {
            0 => limited(1 + self.dice.below(4), EvictOldest),
            1 => limited(1 + self.dice.below(4), EvictLeastRecentlySeen),
            2 => limited(1 + self.dice.below(4), Refuse),
            _ => CreateOptions::default(),
        }
    }

    fn change(&mut self) -> Change {
        match self.dice.below(6) {
            0..=1 => Change::touch(at(self.now - 20 + i64::from(self.dice.below(40)))),
            2 => Change::renew(hash(self.dice.below(2)), hash(self.dice.below(2))),
            3 => Change::meta(entries(&[(self.name(), self.dice.below(9))]).remove(self.name())),
            4 => {
                let mut change = Change::default();
                change.expires_at = Some(self.later());
                change
            }
            _ => Change::default(),
        }
    }

    fn name(&mut self) -> &'static str {
        ["a", "b", "c"][self.dice.below(3) as usize]
    }

    fn later(&mut self) -> Timestamp {
        at(self.now + 1 + i64::from(self.dice.below(600)))
    }

    fn kind(&mut self) -> Kind {
        let kinds = kinds();
        kinds[self.dice.below(3) as usize].clone()
    }

    fn id(&mut self) -> SessionId {
        id(self.dice.below(IDS))
    }

    fn user(&mut self) -> UserKey {
        user(USERS[self.dice.below(3) as usize])
    }

    fn now(&self) -> Timestamp {
        at(self.now)
    }
}

/// Errors are compared by their text, evictions in any order.
fn comparable(created: Result<Created, StoreError>) -> Result<Created, String> {
    let mut created = created.map_err(|error| error.to_string())?;
    created.evicted.sort_unstable();
    Ok(created)
}

/// Numbers that look like chance and are the same in every run: xorshift32.
struct Dice(u32);

impl Dice {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % bound
    }
}
