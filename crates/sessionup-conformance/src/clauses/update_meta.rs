//! Entries of meta are merged by name.

use sessionup_core::{Change, Client, Meta, MetaChange, Record, Store as _, StoreError};

use crate::Fixture;
use crate::sample::{at, entries, hash, id, record_with};
use crate::variety::{many, metas_out_of_bounds};

/// Entries that are set join those that are there; of one name the new value counts.
pub async fn meta_entries_are_merged_by_name(fixture: &Fixture) {
    create(fixture, &[("a", 1), ("b", 2)]).await;

    change(fixture, entries(&[("b", 20), ("c", 30)])).await;

    expect_meta(fixture, &[("a", 1), ("b", 20), ("c", 30)]).await;
}

/// Entries that are removed are gone; that one is not there is no error.
pub async fn meta_entries_are_removed_by_name(fixture: &Fixture) {
    create(fixture, &[("a", 1), ("b", 2)]).await;

    change(fixture, MetaChange::new().remove("a").remove("missing")).await;
    expect_meta(fixture, &[("b", 2)]).await;
    change(fixture, entries(&[("a", 3)]).remove("b")).await;
    expect_meta(fixture, &[("a", 3)]).await;
    change(fixture, MetaChange::new().remove("a")).await;
    expect_meta(fixture, &[]).await;
}

/// A value is replaced as a whole, not merged into.
pub async fn meta_values_are_replaced_as_a_whole(fixture: &Fixture) {
    let record = record_with(1, |session| {
        session
            .meta
            .insert("tree", entries_of(&[("a", 1)]))
            .unwrap();
    });
    fixture.create(&record, at(0)).await;

    let tree = MetaChange::new().set("tree", entries_of(&[("b", 2)]));
    change(fixture, tree.unwrap()).await;

    let fetched = fixture.fetch(id(1), at(0)).await;
    let mut expected = Meta::new();
    expected.insert("tree", entries_of(&[("b", 2)])).unwrap();
    assert_answer!(
        fetched.map(|record| record.session.meta.clone()),
        Some(expected),
        "entries are merged, values are not"
    );
}

/// Entries that would pass a bound are `InvalidMeta`, and nothing of the change is made.
pub async fn meta_out_of_bounds_changes_nothing(fixture: &Fixture) {
    let before = record_with(1, |session| {
        session.meta.merge(&many(Meta::MAX_ENTRIES - 1)).unwrap();
    });
    fixture.create(&before, at(0)).await;

    for (name, meta) in metas_out_of_bounds() {
        let mut change = Change::renew(hash(1), hash(2));
        change.client = Some(Client::default());
        change.expires_at = Some(at(500));
        change.last_seen_at = Some(at(10));
        change.meta = meta;
        let updated = fixture.store().update(id(1), change, at(10)).await;
        assert!(
            matches!(updated, Err(StoreError::InvalidMeta(_))),
            "{name}: expected InvalidMeta, update said {updated:?}"
        );
        let why = format!("{name}: a refused update changes nothing");
        fixture.expect_there(&before, at(10), &why).await;
    }
}

/// The bound is on what is there afterwards: what is removed makes room.
pub async fn meta_may_reach_its_bounds(fixture: &Fixture) {
    let full = record_with(1, |session| {
        session.meta.merge(&many(Meta::MAX_ENTRIES)).unwrap();
    });
    fixture.create(&full, at(0)).await;

    let swap = Change::meta(entries(&[("new", 1)]).remove("entry 0"));
    let expected = swap.apply(&full).unwrap().unwrap();
    let updated = fixture.update(id(1), swap, at(0)).await;

    assert_answer!(
        updated.as_deref(),
        Some(&expected),
        "what is removed makes room for what is set"
    );
    let why = "what update returned is what is kept";
    fixture.expect_there(&expected, at(0), why).await;
}

async fn create(fixture: &Fixture, meta: &[(&str, u32)]) {
    fixture.create(&with_meta(meta), at(0)).await;
}

async fn change(fixture: &Fixture, meta: MetaChange) {
    let updated = fixture.update(id(1), Change::meta(meta), at(0)).await;
    assert!(updated.is_some(), "a live session can be updated");
}

async fn expect_meta(fixture: &Fixture, meta: &[(&str, u32)]) {
    let why = "entries of meta are merged by name";
    fixture.expect_there(&with_meta(meta), at(0), why).await;
}

fn with_meta(meta: &[(&str, u32)]) -> Record {
    record_with(1, |session| session.meta.merge(&entries(meta)).unwrap())
}

fn entries_of(fields: &[(&'static str, u32)]) -> std::collections::BTreeMap<&'static str, u32> {
    fields.iter().copied().collect()
}

/// Entries that were worked out from others than those the session has are not set, nor is anything
/// else of the change; from the present ones they are.
pub async fn meta_from_old_entries_is_not_set(fixture: &Fixture) {
    let before = record_with(1, |session| {
        session.meta.merge(&entries(&[("n", 1)])).unwrap();
    });
    fixture.create(&before, at(0)).await;
    let present = before.session.meta.clone();
    let absent = Meta::new();
    let mut other = present.clone();
    other.insert("m", 1).unwrap();

    for old in [absent, other] {
        let mut change = Change::meta(entries(&[("n", 2)]));
        change.last_seen_at = Some(at(10));
        change.meta_was = Some(old);
        assert_answer!(fixture.update(id(1), change, at(10)).await, None, "others");
        let why = "nothing of the change is made";
        fixture.expect_there(&before, at(10), why).await;
    }

    let mut change = Change::meta(entries(&[("n", 2)]));
    change.meta_was = Some(present);
    let expected = change.apply(&before).unwrap().unwrap();
    let changed = fixture.update(id(1), change.clone(), at(10)).await;
    assert_answer!(changed.as_deref(), Some(&expected), "the present ones");
    assert_answer!(fixture.update(id(1), change, at(10)).await, None, "again");
    let why = "what was worked out from the present entries is set, once";
    fixture.expect_there(&expected, at(10), why).await;
}
