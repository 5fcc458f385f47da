//! What is on the disk when success is reported, and what happens when the disk fails.
//!
//! The disk is simulated, see `support`: syncs are counted, not timed.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::ErrorKind;
use std::sync::Arc;

use sessionup_core::{Change, CreateOptions, Record, Store, StoreError, StoreExt};
use sessionup_redb::{Commits, RedbStore};
use support::{
    At, Disk, Fault, assert_whole, at, begin, builder, create, create_many, id, insist, is_there,
    listed, record, until_available, user,
};

/// Makes a store that has pages to spare: a commit that lets the file grow has one more sync.
async fn with_spare_pages(disk: &Disk) -> RedbStore {
    let store = disk.store();
    create_many(&store, 1_000..1_100, "spare").await;
    store.delete_user(&user("spare"), &[]).await.unwrap();
    store
}

#[tokio::test]
async fn creates_at_once_share_a_commit() {
    let disk = Disk::default();
    let store = with_spare_pages(&disk).await;
    let before = disk.syncs();
    create(&store, 0, "ann").await.unwrap();
    let per_commit = disk.syncs() - before;
    let before = disk.syncs();

    disk.shut_gate();
    let first = begin(create(&store, 1, "ann"));
    disk.wait_for_sync();
    let others: Vec<_> = (2..=64)
        .map(|number| begin(create(&store, number, "ann")))
        .collect();
    disk.open_gate();
    first.await.unwrap();
    for other in others {
        other.await.unwrap();
    }

    assert_eq!(per_commit, 2, "redb syncs pages, then their root");
    assert_eq!(
        disk.syncs() - before,
        2 * per_commit,
        "64 creates, two commits"
    );
    assert_eq!(listed(&store, "ann").await.len(), 65);
}

#[tokio::test]
async fn commits_have_as_many_syncs_as_was_chosen() {
    for (commits, syncs) in [
        (Commits::QuickRepair, 2),
        (Commits::TwoPhase, 2),
        (Commits::OnePhase, 1),
    ] {
        let disk = Disk::default();
        let store = disk.store_with(builder().commits(commits));
        create_many(&store, 1_000..1_100, "spare").await;
        store.delete_user(&user("spare"), &[]).await.unwrap();
        let before = disk.syncs();
        create(&store, 1, "ann").await.unwrap();
        assert_eq!(disk.syncs() - before, syncs, "{commits:?}");

        store.close().await;
        let reopened = disk.store();
        assert!(is_there(&reopened, 1).await, "{commits:?}");
    }
}

#[tokio::test]
async fn nothing_is_answered_before_the_sync() {
    let disk = Disk::default();
    let store = disk.store();
    disk.shut_gate();

    let mut creating = begin(create(&store, 1, "ann"));
    disk.wait_for_sync();

    assert!(support::poll(&mut creating).is_pending());
    assert!(!is_there(&store, 1).await, "seen before it is durable");
    disk.open_gate();
    creating.await.unwrap();
    assert!(is_there(&store, 1).await);
}

#[tokio::test]
async fn what_changes_nothing_costs_no_sync() {
    let disk = Disk::default();
    let store = disk.store();
    create(&store, 1, "ann").await.unwrap();
    let before = (disk.syncs(), disk.writes());

    store.fetch(id(1), at(0)).await.unwrap().unwrap();
    assert_eq!(store.fetch(id(9), at(0)).await.unwrap(), None);
    store.list(&user("ann"), at(0)).await.unwrap();
    store.list(&user("bob"), at(0)).await.unwrap();
    assert!(!store.delete(id(9), None).await.unwrap());
    assert!(!store.delete(id(1), Some(&user("bob"))).await.unwrap());
    assert_eq!(
        store.delete_user(&user("bob"), &[]).await.unwrap().deleted,
        0
    );
    assert_eq!(
        store
            .delete_user(&user("ann"), &[id(1)])
            .await
            .unwrap()
            .deleted,
        0
    );
    store.update(id(9), Change::default(), at(0)).await.unwrap();
    store.update(id(1), Change::default(), at(0)).await.unwrap();
    create(&store, 1, "bob").await.unwrap_err();
    store
        .update(id(1), Change::touch(at(5)), at(5))
        .await
        .unwrap();

    // The use is written along with the next change, or when it is due.
    assert_eq!((disk.syncs(), disk.writes()), before);
    store.close().await;
    assert!(disk.syncs() > before.0);
}

#[tokio::test]
async fn prune_of_nothing_costs_no_sync() {
    let disk = Disk::default();
    let store = disk.store();
    create(&store, 1, "ann").await.unwrap();
    let before = disk.syncs();
    store.prune(at(999_999), 100).await.unwrap();
    assert_eq!(disk.syncs(), before);
}

#[tokio::test]
async fn failed_commit_of_a_create_is_unknown_and_the_store_goes_on() {
    for (at, times) in [(At::Sync, 0), (At::Sync, 1), (At::Write, 0), (At::Write, 3)] {
        let disk = Disk::default();
        let store = with_spare_pages(&disk).await;
        create(&store, 1, "ann").await.unwrap();

        disk.fail(Fault {
            after: times,
            ..Fault::once(at, ErrorKind::TimedOut)
        });
        let created = create(&store, 2, "ann").await;
        assert!(
            matches!(created, Err(StoreError::OutcomeUnknown { .. })),
            "{at:?} {times}: {created:?}"
        );

        until_available(&store).await;
        assert_eq!(disk.opens(), 2);
        assert_eq!(
            listed(&store, "ann").await,
            [id(1)],
            "nobody holds its token"
        );
        create(&store, 2, "ann").await.unwrap();
        store.close().await;
        assert_whole(&disk.database().unwrap());
    }
}

#[tokio::test]
async fn session_whose_end_is_in_doubt_is_refused_until_it_is_gone() {
    for at_what in [At::Sync, At::Write] {
        let disk = Disk::default();
        let store = with_spare_pages(&disk).await;
        for number in 1..=3 {
            create(&store, number, "ann").await.unwrap();
        }
        disk.refuse_opening(true);
        disk.fail(Fault::always(at_what, ErrorKind::TimedOut));

        let deleted = store.delete(id(1), None).await;
        assert!(
            matches!(deleted, Err(StoreError::OutcomeUnknown { .. })),
            "{deleted:?}"
        );

        assert_eq!(store.fetch(id(1), at(0)).await.unwrap(), None);
        let touched = store.update(id(1), Change::touch(at(5)), at(5)).await;
        assert_eq!(touched.unwrap(), None);
        let mut moved = Change::default();
        moved.expires_at = Some(at(2_000_000));
        assert_eq!(store.update(id(1), moved, at(0)).await.unwrap(), None);
        let others = store.fetch(id(2), at(0)).await;
        assert!(
            matches!(others, Err(StoreError::Unavailable { .. })),
            "{others:?}"
        );

        disk.heal();
        disk.refuse_opening(false);
        until_available(&store).await;
        assert_eq!(listed(&store, "ann").await, [id(2), id(3)]);
        assert!(store.delete(id(2), None).await.unwrap());
        store.close().await;

        let store = disk.store();
        assert_eq!(listed(&store, "ann").await, [id(3)]);
    }
}

/// What stays after a changed password is changed too, or ends: its former token may be a thief's.
#[tokio::test]
async fn delete_others_of_unknown_outcome_leaves_no_old_token() {
    for deleted_at_once in [1_000, 1] {
        for (at_what, kind) in [
            (At::Sync, ErrorKind::StorageFull),
            (At::Sync, ErrorKind::TimedOut),
            (At::Write, ErrorKind::StorageFull),
            (At::Write, ErrorKind::TimedOut),
        ] {
            for after in 0..10 {
                let disk = Disk::default();
                let store = disk.store_with(builder().deleted_at_once(deleted_at_once));
                for number in 1..=4 {
                    create(&store, number, "ann").await.unwrap();
                }
                let mut change = Change::touch(at(1));
                change.expires_at = Some(at(2_000_000));
                disk.fail(Fault {
                    after,
                    ..Fault::once(at_what, kind)
                });

                let ann = user("ann");
                let deleted = store.delete_others(&ann, id(1), change, at(1)).await;

                disk.heal();
                until_available(&store).await;
                let case = format!("{deleted_at_once} {at_what:?} {kind:?} {after}: {deleted:?}");
                let left = insist(async || store.list(&ann, at(1)).await).await;
                let is_untouched = left.len() == 4;
                let is_old = |record: &Arc<Record>| record.session.expires_at != at(2_000_000);
                if matches!(deleted, Err(StoreError::OutcomeUnknown { .. })) || !is_untouched {
                    assert!(left.len() <= 1, "{case}: {left:?}");
                    assert!(!left.iter().any(is_old), "{case}: {left:?}");
                } else {
                    assert!(deleted.is_err(), "{case}: nothing was done");
                }
            }
        }
    }
}

#[tokio::test]
async fn all_that_a_failed_commit_would_have_ended_is_refused() {
    let disk = Disk::default();
    let store = with_spare_pages(&disk).await;
    for number in 1..=4 {
        create(&store, number, "ann").await.unwrap();
    }
    create(&store, 9, "bob").await.unwrap();
    disk.refuse_opening(true);
    disk.shut_gate();
    let _blocked = begin(create(&store, 10, "cid"));
    disk.wait_for_sync();
    let ann = user("ann");
    let all = [id(4)];
    let deleting = begin(store.delete_user(&ann, &all));
    let replacing = CreateOptions::default().replacing(Some(id(9)));
    let replacing = begin(store.create(record(11, "bob"), replacing, at(0)));
    // The first commit, which is at its first sync, goes well.
    disk.fail(Fault {
        after: 2,
        ..Fault::always(At::Sync, ErrorKind::TimedOut)
    });
    disk.open_gate();

    let deleted = deleting.await;
    assert!(
        matches!(deleted, Err(StoreError::OutcomeUnknown { .. })),
        "{deleted:?}"
    );
    let replaced = replacing.await;
    assert!(
        matches!(replaced, Err(StoreError::OutcomeUnknown { .. })),
        "{replaced:?}"
    );
    for number in [1, 2, 3, 9, 11] {
        let fetched = store.fetch(id(number), at(0)).await;
        assert_eq!(fetched.unwrap(), None, "{number}");
    }

    disk.heal();
    disk.refuse_opening(false);
    until_available(&store).await;
    assert_eq!(listed(&store, "ann").await, [id(4)]);
    assert_eq!(listed(&store, "bob").await, []);
    assert_eq!(listed(&store, "cid").await, [id(10)]);
}

#[tokio::test]
async fn store_on_a_borrowed_database_stays_unavailable() {
    let disk = Disk::default();
    let database = Arc::new(disk.database().unwrap());
    let store = builder().on(Arc::clone(&database)).unwrap();
    create(&store, 1, "ann").await.unwrap();
    create(&store, 2, "ann").await.unwrap();

    disk.fail(Fault::once(At::Sync, ErrorKind::TimedOut));
    let deleted = store.delete(id(1), None).await;
    assert!(
        matches!(deleted, Err(StoreError::OutcomeUnknown { .. })),
        "{deleted:?}"
    );

    assert_eq!(store.fetch(id(1), at(0)).await.unwrap(), None);
    for result in [
        store.fetch(id(2), at(0)).await.map(drop),
        store.list(&user("ann"), at(0)).await.map(drop),
        store.delete(id(2), None).await.map(drop),
        create(&store, 3, "ann").await,
    ] {
        assert!(
            matches!(result, Err(StoreError::Unavailable { .. })),
            "{result:?}"
        );
    }
    assert_eq!(disk.opens(), 1);
    store.close().await;
}

#[tokio::test]
async fn full_disk_refuses_creates_and_all_else_goes_on() {
    let disk = Disk::default();
    let store = disk.store();
    create(&store, 1, "ann").await.unwrap();
    create(&store, 2, "ann").await.unwrap();
    disk.fill_up();

    let mut number = 3;
    let refused = loop {
        match create(&store, number, "ann").await {
            Ok(()) => number += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(refused, StoreError::Full { source: Some(_) }),
        "{refused:?}"
    );
    let again = create(&store, number, "ann").await;
    assert!(matches!(again, Err(StoreError::Full { .. })), "{again:?}");

    // As long as something is in doubt and there is no room, the store opens its disk anew by itself.
    let found = async |number| insist(async || store.fetch(id(number), at(0)).await).await;
    assert_eq!(found(number).await, None, "nobody holds its token");
    assert!(found(2).await.is_some());
    // Where there is no room for it, it is refused in memory.
    let deleted = store.delete(id(1), None).await;
    assert!(
        matches!(deleted, Ok(true) | Err(StoreError::OutcomeUnknown { .. })),
        "{deleted:?}"
    );
    assert_eq!(store.fetch(id(1), at(0)).await.unwrap(), None);
    assert!(found(2).await.is_some());
    let others = insist(async || store.list(&user("ann"), at(0)).await).await;
    assert!(others.iter().all(|record| record.session.id != id(1)));

    disk.make_room();
    while create(&store, number, "ann").await.is_err() {
        tokio::task::yield_now().await;
    }
    assert!(is_there(&store, number).await);
    store.close().await;
    assert_whole(&disk.database().unwrap());
}

#[tokio::test]
async fn failed_read_opens_the_database_anew() {
    let disk = Disk::default();
    disk.without_cache();
    let store = disk.store();
    create(&store, 1, "ann").await.unwrap();
    disk.fail(Fault::once(At::Read, ErrorKind::TimedOut));

    let fetched = store.fetch(id(1), at(0)).await;
    assert!(
        matches!(fetched, Err(StoreError::Unavailable { .. })),
        "{fetched:?}"
    );

    until_available(&store).await;
    assert!(is_there(&store, 1).await);
    assert_eq!(disk.opens(), 2);
}

#[tokio::test]
async fn uses_survive_a_failed_commit() {
    let disk = Disk::default();
    let store = disk.store();
    create(&store, 1, "ann").await.unwrap();
    store
        .update(id(1), Change::touch(at(70)), at(70))
        .await
        .unwrap();
    disk.fail(Fault::once(At::Sync, ErrorKind::TimedOut));
    create(&store, 2, "bob").await.unwrap_err();

    until_available(&store).await;
    let seen = store.fetch(id(1), at(70)).await.unwrap().unwrap();
    assert_eq!(seen.session.last_seen_at, at(70));
    store.close().await;

    let store = disk.store();
    let seen = store.fetch(id(1), at(70)).await.unwrap().unwrap();
    assert_eq!(seen.session.last_seen_at, at(70));
}

#[tokio::test]
async fn error_at_every_access_loses_nothing_acknowledged() {
    let accesses = fail_at_accesses_in_turn(false, 1).await;
    assert!(accesses > 20, "only {accesses} accesses");
}

#[tokio::test]
async fn error_at_any_access_without_a_cache_loses_nothing_acknowledged() {
    let accesses = fail_at_accesses_in_turn(true, 23).await;
    assert!(accesses > 100, "only {accesses} accesses");
}

/// Fails at an access of a scenario, then at a later one, until the scenario ends before it is hit.
/// Returns about how many accesses there are.
async fn fail_at_accesses_in_turn(without_cache: bool, step: usize) -> u64 {
    for accesses in (0..).step_by(step) {
        let disk = Disk::default();
        if without_cache {
            disk.without_cache();
        }
        // Tables are there, pages are cached.
        let store = disk.store();
        create(&store, 100, "ann").await.unwrap();
        disk.fail(Fault {
            after: accesses,
            ..Fault::once(At::Any, ErrorKind::TimedOut)
        });
        let ledger = scenario(&store).await;
        let was_hit = !disk.is_fault_left();
        disk.heal();
        until_available(&store).await;
        ledger.check(&store).await;
        store.close().await;
        drop(store);

        assert_whole(&disk.database().unwrap());
        let store = disk.store();
        ledger.check(&store).await;
        let batch = 10.try_into().unwrap();
        store.prune_all(at(3_000_000), batch).await.unwrap();
        assert_eq!(listed(&store, "ann").await, []);
        if !was_hit {
            return accesses;
        }
    }
    unreachable!()
}

/// What was acknowledged.
#[derive(Debug, Default)]
struct Ledger {
    there: Vec<u64>,
    gone: Vec<u64>,
}

impl Ledger {
    async fn check(&self, store: &RedbStore) {
        for number in &self.there {
            assert!(
                is_there(store, *number).await,
                "{number} was lost: {self:?}"
            );
        }
        for number in &self.gone {
            assert!(
                !is_there(store, *number).await,
                "{number} is back: {self:?}"
            );
        }
    }
}

async fn scenario(store: &RedbStore) -> Ledger {
    let mut ledger = Ledger::default();
    for number in 0..4 {
        if create(store, number, "ann").await.is_ok() {
            ledger.there.push(number);
        }
    }
    for number in [1, 2] {
        let deleted = store.delete(id(number), None).await;
        // Also an unknown end is refused and made an end.
        if matches!(deleted, Ok(_) | Err(StoreError::OutcomeUnknown { .. })) {
            ledger.there.retain(|there| *there != number);
            ledger.gone.push(number);
        }
    }
    let options = CreateOptions::default().replacing(Some(id(3)));
    let replaced = store.create(record(5, "ann"), options, at(0)).await;
    if !matches!(replaced, Err(StoreError::Unavailable { .. })) {
        ledger.there.retain(|there| *there != 3);
        ledger.gone.push(3);
    }
    if replaced.is_ok() {
        ledger.there.push(5);
    }
    ledger
}
