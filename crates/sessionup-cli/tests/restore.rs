//! `sessionup restore`

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::fs;
use std::time::Duration;

use futures_executor::block_on;
use serde_json::json;
use sessionup_core::store::SecretChange;
use sessionup_core::{Change, Replaced, SecretHash, Store};
use sessionup_redb::RedbStore;
use support::{Place, ended, id, now, session};

/// A file from which session 2 was revoked since it was backed up, and in which 3 was made.
fn backed_up() -> Place {
    let place = Place::new();
    place.fill([session(1, "ann"), session(2, "bob"), ended(5, "cleo")]);
    place.done("backup backup.redb");
    place.done(&format!("revoke {} {} --yes", id(2), id(5)));
    place.fill([session(3, "dora")]);
    place
}

fn ids(place: &Place, file: &str) -> Vec<String> {
    let run = place.run(&format!("list --all --expired --json --db {file}"));
    assert_eq!(run.code, 0, "{run:?}");
    run.ids()
}

fn names(numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    numbers
        .into_iter()
        .map(|number| id(number).to_string())
        .collect()
}

#[test]
fn restore_replaces_file_and_keeps_the_former() {
    let place = backed_up();
    let backup = fs::read(place.path("backup.redb")).unwrap();
    let run = place.done("restore backup.redb --yes --json");
    let answer = run.json();
    assert_eq!(
        answer["come_back"],
        json!(names([2])),
        "5 has ended by its time"
    );
    assert_eq!(answer["older_token"], json!([]));
    assert_eq!(
        (&answer["gone"], &answer["sessions"]),
        (&json!(1), &json!(3))
    );
    assert!(
        run.stderr
            .contains("1 session of the backup would come back"),
        "{run:?}"
    );
    assert_eq!(ids(&place, "s.redb"), names([1, 2, 5]));
    assert_eq!(
        ids(&place, answer["kept_as"].as_str().unwrap()),
        names([1, 3])
    );
    assert!(fs::read(place.path("backup.redb")).unwrap() == backup);
    assert_eq!(place.files().len(), 3, "{:?}", place.files());
    place.done("check");
    assert!(place.is_private("s.redb"));
}

#[test]
fn restore_dry_run_changes_nothing() {
    let place = backed_up();
    let before = fs::read(place.path("s.redb")).unwrap();
    let run = place.done("restore backup.redb --dry-run");
    assert!(
        run.stdout.starts_with("3 sessions would be restored to "),
        "{run:?}"
    );
    let gone = "1 session of the present file is not in the backup: that user logs in again";
    assert!(run.stderr.contains(gone), "{run:?}");
    let unasked = place.run("restore backup.redb --db s.redb");
    assert_eq!(unasked.code, 2);
    assert!(fs::read(place.path("s.redb")).unwrap() == before);
    assert_eq!(place.files(), ["backup.redb", "s.redb"]);
}

#[test]
fn restore_beside_a_server_is_refused() {
    for listens in [false, true] {
        let place = backed_up();
        let builder = RedbStore::builder()
            .cleanup_interval(Duration::ZERO)
            .reserve_bytes(0);
        let builder = if cfg!(unix) {
            builder.control(listens)
        } else {
            builder
        };
        let server = builder.open(place.path("s.redb")).unwrap();
        let before = place.files();
        let run = place.run("restore backup.redb --yes --db s.redb --wait 0s");
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{listens}");
        assert!(run.stderr.contains("s.redb is in use: "), "{run:?}");
        assert_eq!(place.files(), before);
        block_on(server.close());
        assert_eq!(ids(&place, "s.redb"), names([1, 3]));
    }
}

#[test]
fn restore_of_a_damaged_backup_is_refused() {
    let place = backed_up();
    support::spoil_record(&place.path("backup.redb"), id(1));
    let before = fs::read(place.path("s.redb")).unwrap();
    let run = place.run("restore backup.redb --yes --db s.redb");
    assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{run:?}");
    fs::write(place.path("note"), "no database").unwrap();
    for source in ["note", "missing", "s.redb"] {
        let run = place.run(&format!("restore {source} --yes --db s.redb"));
        assert!(matches!(run.code, 1 | 2), "{source}: {run:?}");
    }
    assert!(fs::read(place.path("s.redb")).unwrap() == before);
    assert_eq!(place.files(), ["backup.redb", "note", "s.redb"]);
}

#[test]
fn restore_without_a_file_makes_it() {
    let place = backed_up();
    for make_empty in [false, true] {
        fs::remove_file(place.path("s.redb")).unwrap();
        if make_empty {
            fs::write(place.path("s.redb"), "").unwrap();
        }
        let run = place.done("restore backup.redb --yes --json");
        let answer = run.json();
        assert_eq!(
            (&answer["kept_as"], &answer["come_back"]),
            (&json!(null), &json!(null)),
            "it cannot be told which were revoked since"
        );
        assert!(run.stderr.contains("no present file"), "{run:?}");
        assert_eq!(ids(&place, "s.redb"), names([1, 2, 5]));
        assert!(place.is_private("s.redb"));
        assert_eq!(place.files(), ["backup.redb", "s.redb"]);
    }
}

#[test]
fn restore_over_an_unreadable_file_tells_nothing_of_it() {
    let place = backed_up();
    fs::write(place.path("s.redb"), [0x5a; 10_000]).unwrap();
    let run = place.done("restore backup.redb --yes --json");
    let answer = run.json();
    assert_eq!(
        (&answer["come_back"], &answer["gone"]),
        (&json!(null), &json!(null))
    );
    assert!(
        run.stderr
            .contains("nobody can say which sessions come back"),
        "{run:?}"
    );
    let kept = fs::read(answer["kept_as"].as_str().unwrap()).unwrap();
    assert_eq!(kept, [0x5a; 10_000]);
    assert_eq!(ids(&place, "s.redb"), names([1, 2, 5]));
}

/// A backup that was made beside a server has no tables of the application.
#[test]
fn restore_that_would_lose_tables_is_refused() {
    let place = backed_up();
    let notes: redb::TableDefinition<'_, &str, &str> = redb::TableDefinition::new("notes");
    let database = redb::Database::open(place.path("s.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction
        .open_table(notes)
        .unwrap()
        .insert("a", "b")
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    let before = fs::read(place.path("s.redb")).unwrap();
    let run = place.run("restore backup.redb --yes --db s.redb");
    assert_eq!(run.code, 1);
    assert!(
        run.stderr
            .contains("tables that the backup does not have: \"notes\""),
        "{run:?}"
    );
    assert!(fs::read(place.path("s.redb")).unwrap() == before);
    place.done("restore backup.redb --yes --force");
    assert_eq!(ids(&place, "s.redb"), names([1, 2, 5]));
}

#[cfg(unix)]
#[test]
fn restore_keeps_owner_mode_and_link() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    let place = backed_up();
    fs::create_dir(place.path("data")).unwrap();
    fs::rename(place.path("s.redb"), place.path("data/real.redb")).unwrap();
    symlink("data/real.redb", place.path("s.redb")).unwrap();
    let real = place.path("data/real.redb");
    // Root alone may give files away.
    let is_root = chown(&real, Some(1_234), Some(1_234)).is_ok();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    place.done("restore backup.redb --yes");
    let link = fs::symlink_metadata(place.path("s.redb")).unwrap();
    assert!(link.is_symlink());
    let found = fs::metadata(&real).unwrap();
    assert_eq!(found.mode() & 0o777, 0o640);
    if is_root {
        assert_eq!((found.uid(), found.gid()), (1_234, 1_234));
    }
    assert_eq!(ids(&place, "s.redb"), names([1, 2, 5]));
}

/// As docs/backup.md says: what came back is revoked again.
#[test]
fn sessions_that_came_back_can_be_revoked() {
    let place = backed_up();
    let answer = place.done("restore backup.redb --yes --json").json();
    let back = answer["come_back"].as_array().unwrap();
    let back = back.iter().map(|id| id.as_str().unwrap().to_owned());
    let line = ["revoke", "--yes", "--db", "s.redb"].map(str::to_owned);
    assert_eq!(place.run_with(line.into_iter().chain(back)).code, 0);
    assert_eq!(ids(&place, "s.redb"), names([1, 5]));
}

/// A token that was renewed because it was stolen logs in again.
#[test]
fn restore_of_an_older_token_is_told() {
    let place = Place::new();
    place.fill([session(1, "ann"), session(2, "bob")]);
    place.done("backup backup.redb");
    let store = place.store();
    let record = block_on(store.fetch(id(1), now())).unwrap().unwrap();
    let renew = Change::renew(record.secret_hash, SecretHash::from_bytes([0x77; 32]));
    let renewed = block_on(store.update(id(1), renew, now())).unwrap();
    assert!(renewed.is_some());
    block_on(store.close());

    let run = place.done("restore backup.redb --yes --json");
    assert_eq!(run.json()["come_back"], json!(names([1])));
    assert_eq!(run.json()["older_token"], json!(names([1])));
    let told = "1 session of the backup would come back with an older token, which was replaced since and \
                may be stolen:\n";
    assert!(run.stderr.contains(told), "{run:?}");
    assert!(!run.stderr.contains("revoked or have ended"), "{run:?}");
    assert!(run.stderr.contains("sessionup revoke --db"), "{run:?}");
}

/// A backup from between a renewal and the first use of the new token lets both tokens in.
#[test]
fn restore_of_an_unconfirmed_renewal_is_told() {
    let place = Place::new();
    place.fill([session(1, "ann")]);
    let store = place.store();
    let record = block_on(store.fetch(id(1), now())).unwrap().unwrap();
    let renewed_hash = SecretHash::from_bytes([0x77; 32]);
    let at = now();
    let unconfirmed = Replaced::new(record.secret_hash, at).accepted_until(None);
    let mut renew = Change::default();
    renew.secret = Some(SecretChange::new(record.secret_hash, renewed_hash).replacing(unconfirmed));
    assert!(block_on(store.update(id(1), renew, at)).unwrap().is_some());
    block_on(store.close());
    place.done("backup backup.redb");
    let same = place.done("restore backup.redb --dry-run --json").json();
    assert_eq!(same["come_back"], json!([]));

    let store = place.store();
    let used = Replaced::new(record.secret_hash, at);
    let mut confirm = Change::default();
    confirm.secret = Some(SecretChange::new(renewed_hash, renewed_hash).replacing(used));
    assert!(
        block_on(store.update(id(1), confirm, at))
            .unwrap()
            .is_some()
    );
    block_on(store.close());
    let run = place.done("restore backup.redb --dry-run --json");
    assert_eq!(run.json()["older_token"], json!(names([1])));
}
