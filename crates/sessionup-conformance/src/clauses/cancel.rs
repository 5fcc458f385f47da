//! A future that is dropped leaves the state before or after its operation.
//!
//! A dropped operation may still be carried out later, as a whole. So what is read here holds
//! whenever that happens, and each clause ends by asking for the same once more.

use std::pin::pin;

use tokio::task::yield_now;

use sessionup_core::{Change, CreateOptions, DynStore, ListOptions, Record};

use crate::Fixture;
use crate::races::{ends_when_polled, fill};
use crate::sample::{
    ann, at, ending_at, entries, hash, id, ids, record, record_of, record_with, records, replacing,
    user,
};

const DROPS: u32 = 100;

/// A future that was never polled has done nothing.
pub async fn unpolled_operations_do_nothing(fixture: &Fixture) {
    let (live, expired, new) = (record(1), ending_at(2, at(50)), record(3));
    fixture.create(&live, at(0)).await;
    fixture.create(&expired, at(0)).await;

    for _ in 0..DROPS {
        let store = &**fixture.store();
        drop(store.create_dyn(new.clone(), CreateOptions::default(), at(100)));
        drop(store.create_dyn(new.clone(), replacing(1), at(100)));
        drop(store.fetch_dyn(id(1), at(100)));
        drop(store.list_page_dyn(&ann(), ListOptions::default(), at(100)));
        drop(store.update_dyn(id(1), Change::touch(at(100)), at(100)));
        drop(store.update_dyn(id(1), Change::renew(hash(1), hash(9)), at(100)));
        drop(store.delete_dyn(id(1), Some(&ann())));
        drop(store.delete_user_dyn(&ann(), &[]));
        drop(store.delete_others_dyn(&ann(), id(9), Change::default(), at(100)));
        drop(store.delete_all_dyn());
        drop(store.prune_dyn(at(100), 10));
    }

    let why = "a future that was never polled has done nothing";
    fixture.expect_there(&live, at(100), why).await;
    fixture.expect_gone(&new, at(100), why).await;
    assert_answer!(fixture.prune_all(at(100), 10).await, 1, "{why}: no prune");
}

/// A create that is dropped made its session and ended the replaced one, or neither.
pub async fn dropped_create_is_whole_or_nothing(fixture: &Fixture) {
    let (old, new) = (records(0..DROPS), records(DROPS..2 * DROPS));
    fill(fixture, &old, at(0)).await;

    for (n, record) in (0..).zip(&new) {
        let create = raw(fixture).create_dyn(record.clone(), replacing(n), at(0));
        give_up(create, n).await;
        expect_one_of(fixture, &old[n as usize], record).await;
    }

    for (n, record) in (0..).zip(&new) {
        // Refused as duplicate if the dropped one was carried out.
        let _ = fixture.try_create(record, replacing(n), at(0)).await;
    }
    let why = "a create that is asked for again comes to its end";
    fixture
        .expect_list(&ann(), &ids(DROPS..2 * DROPS), at(0), why)
        .await;
    fixture.expect_agreement(&old, at(0), why).await;
    fixture.expect_agreement(&new, at(0), why).await;
}

/// An update that is dropped was made as a whole or not at all.
pub async fn dropped_update_is_whole_or_nothing(fixture: &Fixture) {
    let both = |n| entries(&[("left", n), ("right", n)]);
    let before = record_with(1, |session| session.meta.merge(&both(0)).unwrap());
    fixture.create(&before, at(0)).await;

    for n in 1..=DROPS {
        let update = raw(fixture).update_dyn(id(1), Change::meta(both(n)), at(0));
        give_up(update, n).await;
        expect_whole(fixture).await;
    }

    let last = Change::meta(both(DROPS + 1));
    let updated = fixture.update(id(1), last, at(0)).await;
    let updated = updated.expect("nobody ended the session");
    let left = updated.session.meta.get::<u32>("left");
    assert_answer!(left, Ok(Some(DROPS + 1)), "an update goes on to be made");
    expect_whole(fixture).await;
}

/// A touch that is dropped moved the moment of use forward or did not; none moves it back.
pub async fn dropped_touch_is_whole_or_nothing(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;

    let mut seen = at(0);
    for n in 1..=DROPS {
        let touch = Change::touch(at(i64::from(n)));
        let touch = raw(fixture).update_dyn(id(1), touch, at(0));
        give_up(touch, n).await;
        let fetched = fixture.fetch(id(1), at(0)).await;
        let now_seen = fetched.expect("nobody ended it").session.last_seen_at;
        assert!(now_seen >= seen, "last_seen_at only moves forward");
        seen = now_seen;
    }

    let touched = fixture.update(id(1), Change::touch(at(500)), at(0)).await;
    let touched = touched.expect("nobody ended the session");
    let why = "a touch goes on to be made";
    assert_answer!(touched.session.last_seen_at, at(500), "{why}");
    fixture.expect_there(&touched, at(0), why).await;
}

/// A delete that is dropped deleted its session from everywhere or from nowhere.
pub async fn dropped_delete_is_whole_or_nothing(fixture: &Fixture) {
    let all = records(0..DROPS);
    fill(fixture, &all, at(0)).await;

    for (n, record) in (0..).zip(&all) {
        let anns = ann();
        give_up(raw(fixture).delete_dyn(id(n), Some(&anns)), n).await;
        expect_ending(fixture, record).await;
    }

    for n in 0..DROPS {
        fixture.delete(id(n), None).await;
    }
    let why = "a delete that is asked for again comes to its end";
    fixture.expect_list(&ann(), &[], at(0), why).await;
    for record in &all {
        fixture.expect_gone(record, at(0), why).await;
        fixture.expect_no_record(record, at(0), why).await;
    }
}

/// A delete of a user's sessions that is dropped deleted all of them or none.
pub async fn dropped_delete_user_is_whole_or_nothing(fixture: &Fixture) {
    const EACH: u32 = 3;
    let name = |n: u32| format!("user {n}");
    let all: Vec<_> = (0..DROPS * EACH)
        .map(|n| record_of(&name(n / EACH), n))
        .collect();
    fill(fixture, &all, at(0)).await;

    for n in 0..DROPS {
        let owner = user(&name(n));
        give_up(raw(fixture).delete_user_dyn(&owner, &[]), n).await;
        let live = fixture.list(&owner, at(0)).await.len();
        assert!(
            live == 0 || live == EACH as usize,
            "all or none are deleted, but {live} of {EACH} are left"
        );
    }

    for n in 0..DROPS {
        fixture.delete_user(&user(&name(n)), &[]).await;
    }
    for record in &all {
        let why = "a delete that is asked for again comes to its end";
        fixture.expect_gone(record, at(0), why).await;
        fixture.expect_no_record(record, at(0), why).await;
    }
}

/// A deletion of the others that is dropped deleted all of them and renewed the kept session, or did
/// neither.
pub async fn dropped_delete_others_is_whole_or_nothing(fixture: &Fixture) {
    const EACH: u32 = 3;
    let name = |n: u32| format!("user {n}");
    let of = |n: u32| (n * EACH..(n + 1) * EACH).map(move |session| record_of(&name(n), session));
    let kept = |n: u32| n * EACH + 1;
    let all: Vec<_> = (0..DROPS).flat_map(of).collect();
    fill(fixture, &all, at(0)).await;

    for n in 0..DROPS {
        let (owner, renewed) = (user(&name(n)), hash(1_000 + n));
        let change = Change::renew(hash(kept(n)), renewed);
        let delete = raw(fixture).delete_others_dyn(&owner, id(kept(n)), change, at(0));
        give_up(delete, n).await;
        let before: Vec<_> = of(n).collect();
        fixture
            .expect_whole_delete_others(&before, id(kept(n)), renewed, at(0))
            .await;
    }

    let why = "a deletion that is asked for again comes to its end";
    for n in 0..DROPS {
        let (owner, change) = (user(&name(n)), Change::touch(at(5)));
        let deleted = fixture
            .delete_others(&owner, id(kept(n)), change, at(0))
            .await;
        assert!(deleted.kept.is_some(), "{why}: the named session is kept");
        fixture
            .expect_list(&owner, &[id(kept(n))], at(0), why)
            .await;
    }
    for (n, record) in (0..).zip(&all) {
        if n != kept(n / EACH) {
            fixture.expect_gone(record, at(0), why).await;
            fixture.expect_no_record(record, at(0), why).await;
        }
    }
}

/// A deletion of all sessions that is dropped deleted those of all users or none.
pub async fn dropped_delete_all_is_whole_or_nothing(fixture: &Fixture) {
    const EACH: u32 = 6;
    for n in 0..DROPS / 2 {
        let sessions: Vec<_> = (n * EACH..(n + 1) * EACH)
            .map(|session| record_of(["ann", "bob", "carl"][session as usize % 3], session))
            .collect();
        fill(fixture, &sessions, at(0)).await;
        // One that was dropped before may be carried out while these are made.
        let mut there = Vec::new();
        for record in sessions {
            if fixture.fetch(record.session.id, at(0)).await.is_some() {
                there.push(record);
            }
        }

        give_up(raw(fixture).delete_all_dyn(), n).await;
        fixture.expect_whole_delete_all(&there, at(0)).await;
    }

    fixture.delete_all().await;
    let why = "a deletion that is asked for again comes to its end";
    for key in ["ann", "bob", "carl"] {
        fixture.expect_list(&user(key), &[], at(0), why).await;
    }
    for record in records(0..EACH * DROPS / 2) {
        fixture.expect_no_record(&record, at(0), why).await;
    }
}

/// A prune that is dropped leaves live sessions alone, and whoever prunes again deletes the rest.
pub async fn dropped_prune_is_harmless(fixture: &Fixture) {
    let expired: Vec<_> = (0..DROPS).map(|n| ending_at(n, at(50))).collect();
    let live = records(DROPS..DROPS + 10);
    fill(fixture, &expired, at(0)).await;
    fill(fixture, &live, at(0)).await;

    for n in 0..DROPS {
        give_up(raw(fixture).prune_dyn(at(100), 1), n).await;
    }

    fixture.prune_all(at(100), 10).await;
    for record in &live {
        let why = "no prune deletes a live session";
        fixture.expect_there(record, at(100), why).await;
    }
    let left = fixture.delete_user(&ann(), &[]).await;
    assert_answer!(left, 10, "what has expired is deleted by the next prune");
}

/// Reads that are dropped change nothing and hold nothing up.
pub async fn dropped_reads_change_nothing(fixture: &Fixture) {
    let anns = ann();
    fixture.create(&record(1), at(0)).await;

    for n in 0..DROPS {
        give_up(raw(fixture).fetch_dyn(id(1), at(0)), n).await;
        give_up(raw(fixture).fetch_dyn(id(2), at(0)), n).await;
        give_up(
            raw(fixture).list_page_dyn(&anns, ListOptions::default(), at(0)),
            n,
        )
        .await;
    }

    let why = "a read changes nothing";
    fixture.expect_there(&record(1), at(0), why).await;
    fixture.create(&record(2), at(0)).await;
    let why = "a session that was looked for in vain can be made";
    fixture.expect_there(&record(2), at(0), why).await;
}

fn raw(fixture: &Fixture) -> &dyn DynStore {
    &**fixture.store()
}

/// Polls an operation a few times, from not at all to three times, and drops it.
async fn give_up<T>(operation: impl Future<Output = T>, n: u32) {
    let mut operation = pin!(operation);
    for _ in 0..n % 4 {
        if ends_when_polled(operation.as_mut()) {
            return;
        }
        yield_now().await;
    }
}

/// The new session has taken the old one's place, or has not yet.
async fn expect_one_of(fixture: &Fixture, old: &Record, new: &Record) {
    let why = "a create and the end of the replaced session are one step";
    if fixture.fetch(old.session.id, at(0)).await.is_none() {
        fixture.expect_there(new, at(0), why).await;
    }
    if fixture.fetch(new.session.id, at(0)).await.is_some() {
        fixture.expect_gone(old, at(0), why).await;
        fixture.expect_there(new, at(0), why).await;
    }
    let listed = fixture.listed_ids(&ann(), at(0)).await;
    if listed.contains(&new.session.id) {
        fixture.expect_there(new, at(0), why).await;
    }
}

/// The session is gone, or is not gone yet.
async fn expect_ending(fixture: &Fixture, record: &Record) {
    let session = &record.session;
    let why = "a delete is one step";
    if fixture.fetch(session.id, at(0)).await.is_none() {
        fixture.expect_gone(record, at(0), why).await;
    }
    let listed = fixture.listed_ids(&session.user_key, at(0)).await;
    if !listed.contains(&session.id) {
        fixture.expect_gone(record, at(0), why).await;
    }
}

async fn expect_whole(fixture: &Fixture) {
    let fetched = fixture.fetch(id(1), at(0)).await;
    let fetched = fetched.expect("nobody ended the session");
    let meta = &fetched.session.meta;
    assert_eq!(
        meta.value("left"),
        meta.value("right"),
        "two entries that are changed together were changed apart"
    );
}
