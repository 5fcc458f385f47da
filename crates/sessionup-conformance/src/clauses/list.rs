//! The sessions of a user.

use std::num::NonZeroUsize;

use sessionup_core::{Change, Kind, LimitPolicy, ListOptions, Record, RecordPage, SessionId};

use crate::Fixture;
use crate::races::fill;
use crate::sample::{
    MANY, ann, at, confusable_users, ending_at, entries, hash, id, idling, ids, limited, ms,
    odd_ids, record, record_of, record_with, records, replacing, user,
};

/// The sessions of a page are in the order of their ids, whatever the order of their creation.
pub async fn list_page_is_in_order_of_ids(fixture: &Fixture) {
    for (n, created) in [(3, 1), (1, 9), (256, 0), (2, 5), (255, 3)] {
        let record = record_with(n, |session| session.created_at = at(created));
        fixture.create(&record, at(10)).await;
    }

    let page = fixture.page(&ann(), ListOptions::default(), at(10)).await;
    let expected = ids([1, 2, 3, 255, 256]);
    assert_answer!(named(&page), expected, "a page is in the order of ids");
}

/// A use does not change a session's place.
pub async fn list_page_order_is_not_changed_by_use(fixture: &Fixture) {
    for n in [1, 2, 3] {
        fixture.create(&record(n), at(0)).await;
    }
    let touched = fixture.update(id(2), Change::touch(at(5)), at(5)).await;
    assert!(touched.is_some(), "a live session can be touched");

    let page = fixture.page(&ann(), ListOptions::default(), at(5)).await;
    let why = "a page is in the order of ids, not of uses";
    assert_answer!(named(&page), ids([1, 2, 3]), "{why}");
}

/// Pages that are asked for one after the other hold every session, each of them once.
pub async fn list_pages_hold_every_session_once(fixture: &Fixture) {
    fill(fixture, &records(0..25), at(0)).await;
    fixture.create(&ending_at(25, at(5)), at(0)).await;

    for limit in [1, 2, 7, 25, 26, 1_000] {
        let options = ListOptions::default().limit(NonZeroUsize::new(limit).unwrap());
        let listed = fixture.pages(&ann(), options, at(5)).await;
        let why = format!("pages of {limit} hold all live sessions");
        assert_answer!(listed, ids(0..25), "{why}");
    }
}

/// A page begins behind its cursor, also if no session of that id is there.
pub async fn list_page_begins_behind_its_cursor(fixture: &Fixture) {
    for n in [10, 20, 30] {
        fixture.create(&record(n), at(0)).await;
    }
    let cases: [(u32, &[u32]); 6] = [
        (0, &[10, 20, 30]),
        (9, &[10, 20, 30]),
        (10, &[20, 30]),
        (15, &[20, 30]),
        (29, &[30]),
        (30, &[]),
    ];
    for (after, expected) in cases {
        let options = ListOptions::default().after(id(after));
        let listed = fixture.pages(&ann(), options, at(0)).await;
        let expected = ids(expected.iter().copied());
        assert_answer!(listed, expected, "the list behind {after}");
    }
    fixture.delete(id(20), None).await;
    let options = ListOptions::default().after(id(20));
    let why = "a cursor stays good when its session is gone";
    assert_answer!(
        fixture.pages(&ann(), options, at(0)).await,
        ids([30]),
        "{why}"
    );
}

/// A cursor may be any id, also the lowest and the highest.
pub async fn list_page_takes_any_cursor(fixture: &Fixture) {
    let mut all = odd_ids();
    all.sort_unstable();
    for (n, id) in (0..).zip(&all) {
        let record = record_with(n, |session| session.id = *id);
        fixture.create(&record, at(0)).await;
        let next_user = record_of("ann2", n + 100);
        fixture.create(&next_user, at(0)).await;
    }

    for (n, cursor) in all.iter().enumerate() {
        let options = ListOptions::default().after(*cursor);
        let listed = fixture.pages(&ann(), options, at(0)).await;
        let expected = &all[n + 1..];
        assert_answer!(listed, expected, "the list behind {cursor}");
    }
}

/// A limit beyond all numbers is a limit like any other.
pub async fn list_page_takes_any_limit(fixture: &Fixture) {
    let mut options = ListOptions::default();
    options.limit = NonZeroUsize::MAX;
    let none = fixture.pages(&ann(), options.clone(), at(0)).await;
    assert_answer!(none, [], "a user without sessions has none");

    fill(fixture, &records(0..10), at(0)).await;
    let listed = fixture.pages(&ann(), options.clone(), at(0)).await;
    assert_answer!(listed, ids(0..10), "pages hold all sessions");
    let listed = fixture.pages(&ann(), options.after(id(4)), at(0)).await;
    assert_answer!(listed, ids(5..10), "the list behind 4");
}

/// A session that is there from the first page to the last is on exactly one of them, whatever is
/// created and deleted meanwhile.
pub async fn list_pages_hold_what_stays_meanwhile(fixture: &Fixture) {
    for n in [10, 20, 30, 40, 50, 60] {
        fixture.create(&record(n), at(0)).await;
    }
    let options = ListOptions::default().limit(NonZeroUsize::new(1).unwrap());
    let mut listed = Vec::new();
    let mut after = None;
    let mut step = 0;
    loop {
        let page = fixture
            .page(&ann(), options.clone().after(after), at(0))
            .await;
        listed.extend(named(&page));
        let Some(next) = page.next else { break };
        after = Some(next);
        // Before the cursor one comes, then another goes.
        match step {
            0 => fixture.create(&record(5), at(0)).await,
            1 => assert!(fixture.delete(id(10), None).await, "it was there"),
            2 => assert!(fixture.delete(id(5), None).await, "it was there"),
            _ => {}
        }
        step += 1;
    }

    listed.retain(|listed| ![id(5), id(10)].contains(listed));
    let expected = ids([20, 30, 40, 50, 60]);
    assert_answer!(listed, expected, "what stays is on exactly one page");
}

/// With a kind, a page has the sessions of this kind alone; without one, those of every kind.
pub async fn list_page_holds_one_kind(fixture: &Fixture) {
    let of = |n, kind: &Kind| record_with(n, |session| session.kind = kind.clone());
    let kinds = [
        Kind::USER,
        Kind::LOGIN_ATTEMPT,
        Kind::new("user-2").unwrap(),
    ];
    for n in 0..9 {
        let record = of(n, &kinds[n as usize % 3]);
        fixture.create(&record, at(0)).await;
    }

    for (n, kind) in (0..).zip(&kinds) {
        let options = ListOptions::default().kind(kind.clone());
        let listed = fixture.pages(&ann(), options, at(0)).await;
        assert_answer!(listed, ids([n, n + 3, n + 6]), "the sessions of {kind}");
    }
    let listed = fixture.pages(&ann(), ListOptions::default(), at(0)).await;
    assert_answer!(listed, ids(0..9), "the sessions of every kind");
    let options = ListOptions::default().kind(Kind::GUEST);
    let none = fixture.pages(&ann(), options, at(0)).await;
    assert_answer!(none, [], "there is none of this kind");
}

/// Expired sessions are left out, though nobody prunes.
pub async fn list_leaves_out_expired_sessions(fixture: &Fixture) {
    fixture.create(&ending_at(1, at(100)), at(0)).await;
    fixture.create(&idling(2, ms(200)), at(0)).await;
    fixture.create(&ending_at(3, at(300)), at(0)).await;

    let cases: [(i64, &[u32]); 6] = [
        (99, &[1, 2, 3]),
        (100, &[2, 3]),
        (199, &[2, 3]),
        (200, &[3]),
        (299, &[3]),
        (300, &[]),
    ];
    for (now, live) in cases {
        let why = format!("{now} ms after the beginning only the live ones are listed");
        let live = ids(live.iter().copied());
        fixture.expect_list(&ann(), &live, at(now), &why).await;
    }
}

/// A user without sessions has an empty list.
pub async fn list_of_an_unknown_user_is_empty(fixture: &Fixture) {
    let why = "a user without sessions has none";
    fixture.expect_list(&ann(), &[], at(0), why).await;
    fixture.create(&record(1), at(0)).await;
    for key in ["a", "an", "anna", "Ann", "ann "] {
        fixture.expect_list(&user(key), &[], at(0), why).await;
    }
}

/// User keys are compared byte for byte: a list has the sessions of exactly this user.
pub async fn list_holds_exactly_this_user(fixture: &Fixture) {
    let users = confusable_users();
    let records: Vec<_> = (0..)
        .zip(&users)
        .map(|(n, user)| record_of(user.as_str(), n))
        .collect();
    fill(fixture, &records, at(0)).await;

    for record in &records {
        let session = &record.session;
        let why = "a list has the sessions of exactly this user";
        fixture
            .expect_list(&session.user_key, &[session.id], at(0), why)
            .await;
        fixture.expect_there(record, at(0), why).await;
    }
}

/// User and id are two things: what the one ends with is not taken for the beginning of the other.
pub async fn users_and_ids_are_not_run_together(fixture: &Fixture) {
    let all = |byte: u8| SessionId::from_bytes([byte; 16]);
    let owners = [
        ("a", all(b'b')),
        ("ab", all(b'c')),
        ("abb", all(0x00)),
        ("b", all(0xff)),
        ("bbbbbbbbbbbbbbbb", all(b'a')),
        ("abbbbbbbbbbbbbbbb", all(b'd')),
        ("a\u{1}", all(0x01)),
    ];
    for (n, (key, id)) in (0..).zip(owners) {
        let mut record = record_of(key, n);
        record.session.id = id;
        fixture.create(&record, at(0)).await;
    }

    for (key, id) in owners {
        let why = "user and id are kept apart";
        fixture.expect_list(&user(key), &[id], at(0), why).await;
        assert_answer!(
            fixture.delete_user(&user(key), &[]).await,
            1,
            "{why}: {key:?} has one session"
        );
        fixture.expect_list(&user(key), &[], at(0), why).await;
    }
}

/// A list holds all sessions of a user, be they many.
pub async fn list_holds_many_sessions(fixture: &Fixture) {
    fill(fixture, &records(0..MANY), at(0)).await;
    fixture.create(&record_of("ann2", MANY), at(0)).await;

    let why = "a list holds all live sessions of the user";
    fixture.expect_list(&ann(), &ids(0..MANY), at(0), why).await;
}

/// After every operation list and fetch tell the same.
pub async fn list_agrees_with_fetch_after_every_operation(fixture: &Fixture) {
    let mut all = records(1..=8);
    all.push(ending_at(9, at(30)));
    let agreed = async |now, done: &str| {
        let why = format!("list and fetch agree after {done}");
        fixture.expect_agreement(&all, at(now), &why).await;
    };

    fixture.create(&all[0], at(0)).await;
    agreed(0, "a create").await;
    fixture.create_with(&record(2), replacing(1), at(0)).await;
    agreed(0, "a replacement").await;
    for n in [3, 4, 5] {
        fixture.create(&record(n), at(0)).await;
    }
    let two = limited(2, LimitPolicy::EvictOldest);
    fixture.create_with(&record(6), two, at(0)).await;
    agreed(0, "an eviction").await;
    for change in changes() {
        fixture.update(id(6), change, at(10)).await;
        agreed(10, "an update").await;
    }
    fixture.delete(id(6), Some(&ann())).await;
    agreed(10, "a delete").await;
    for record in [&all[6], &all[7], &all[8]] {
        fixture.create(record, at(10)).await;
    }
    fixture.delete_user(&ann(), &ids([7, 8, 9])).await;
    agreed(10, "a delete of the user").await;
    fixture.create(&all[4], at(10)).await;
    let change = Change::meta(entries(&[("a", 1)]));
    fixture.delete_others(&ann(), id(7), change, at(10)).await;
    agreed(10, "a delete of the others").await;
    fixture.create(&all[8], at(10)).await;
    agreed(30, "an expiry").await;
    fixture.prune_all(at(30), 1).await;
    agreed(30, "a prune").await;
    only(fixture, &all[6]).await;
    fixture.delete_all().await;
    agreed(30, "a delete of all").await;
    fixture
        .expect_gone(&all[6], at(30), "all were deleted")
        .await;
}

fn changes() -> Vec<Change> {
    let mut shorter = Change::default();
    shorter.expires_at = Some(at(20));
    let mut longer = Change::default();
    longer.expires_at = Some(at(90));
    vec![
        Change::default(),
        Change::touch(at(10)),
        Change::meta(entries(&[("a", 1)])),
        Change::renew(hash(6), hash(7)),
        shorter,
        longer,
    ]
}

async fn only(fixture: &Fixture, record: &Record) {
    let why = "one session was neither ended nor did it expire";
    let session = &record.session;
    fixture
        .expect_list(&session.user_key, &[session.id], at(30), why)
        .await;
}

fn named(page: &RecordPage) -> Vec<SessionId> {
    page.records
        .iter()
        .map(|record| record.session.id)
        .collect()
}
