//! `sessionup export bolt`

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::fs;

use futures_executor::block_on;
use serde_json::json;
use sessionup_bolt::BoltFile;
use sessionup_core::{Change, Credential, SecretHash, Store};
use support::go::sessions;
use support::{Place, go_session, go_token, now, session, write_bolt};

/// Three sessions of Go's, imported: the first is renewed since, the second revoked. And one of ours.
fn moved() -> Place {
    let place = Place::new();
    let mut third = go_session(&go_token(3), "cleo");
    third.meta.insert("role".into(), "writer".into());
    write_bolt(
        &place.path("go.db"),
        [
            go_session(&go_token(1), "ann"),
            go_session(&go_token(2), "bob"),
            third,
        ],
    );
    place.done("import bolt go.db --yes");
    let store = place.store();
    let credential = |number| Credential::of_imported(go_token(number).as_bytes()).unwrap();
    let renewal = Change::renew(credential(1).secret_hash, SecretHash::from_bytes([1; 32]));
    assert!(
        block_on(store.update(credential(1).id, renewal, now()))
            .unwrap()
            .is_some()
    );
    assert!(block_on(store.delete(credential(2).id, None)).unwrap());
    block_on(store.close());
    place.fill([session(4, "dora")]);
    place
}

#[test]
fn what_go_can_honour_goes_back() {
    let place = moved();
    let run = place.done("export bolt back.db --from go.db --json");
    assert_eq!(
        run.json(),
        json!({
            "sessions": 3, "exported": 1, "meta_as_text": 0, "expired": 0, "no_token": 1,
            "other_kind": 0, "renewed": 1, "damaged": 0,
        })
    );
    let back = BoltFile::open(place.path("back.db")).unwrap();
    back.check().unwrap();
    let before = BoltFile::open(place.path("go.db")).unwrap();
    assert_eq!(
        sessions(&back, "sessions"),
        sessions(&before, "sessions")[2..]
    );
    assert!(place.is_private("back.db"));
}

/// Each Bolt file that was imported gives its tokens.
#[test]
fn sessions_of_several_bolt_files_go_back() {
    let place = Place::new();
    for (name, number) in [("one.db", 1), ("two.db", 2), ("three.db", 3)] {
        write_bolt(&place.path(name), [go_session(&go_token(number), "ann")]);
        place.done(&format!("import bolt {name} --yes"));
    }
    let line = "export bolt back.db --from one.db --from two.db --from three.db --json";
    assert_eq!(place.done(line).json()["exported"], 3);
    let back = BoltFile::open(place.path("back.db")).unwrap();
    assert_eq!(sessions(&back, "sessions").len(), 3);
    let nowhere = place.run("export bolt missing/back.db --from one.db --db s.redb");
    assert_eq!(nowhere.stderr, "sessionup: there is no directory missing\n");
}

#[test]
fn it_is_told_in_words() {
    let place = moved();
    let run = place.done("export bolt back.db --from go.db");
    assert_eq!(
        run.stdout,
        "3 sessions: 1 exported (0 of them with meta made text), 0 ended, 1 without a token of \
         Go's, 1 renewed here, 0 of another kind\n"
    );
    assert_eq!(
        run.stderr,
        "The file holds tokens: guard it like passwords.\n"
    );
}

#[test]
fn nothing_is_written_over() {
    let place = moved();
    let before = fs::read(place.path("go.db")).unwrap();
    let run = place.run("export bolt go.db --from go.db --db s.redb");
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    assert_eq!(
        run.stderr,
        "sessionup: go.db is there already and is not written over, choose another name\n"
    );
    assert!(fs::read(place.path("go.db")).unwrap() == before);
    let run = place.run("export bolt back.db --from missing.db --db s.redb");
    assert_eq!(run.code, 1);
    assert!(
        run.stderr
            .starts_with("sessionup: missing.db could not be read: "),
        "{run:?}"
    );
    assert_eq!(place.files(), ["go.db", "s.redb"]);
}

/// Record for record what the Go program had when it was stopped.
#[test]
fn way_there_and_back_loses_nothing() {
    let place = Place::new();
    let given: Vec<_> = (0..300)
        .map(|number| go_session(&go_token(number), &format!("user{}", number % 7)))
        .collect();
    write_bolt(&place.path("go.db"), given.clone());
    place.done("import bolt go.db --yes");
    place.done("export bolt back.db --from go.db");
    let back = BoltFile::open(place.path("back.db")).unwrap();
    assert_eq!(sessions(&back, "sessions"), given);
}
