use std::num::NonZeroU32;

use sessionup_core::{
    Change, LimitPolicy, Record, SecretHash, Session, SessionId, SessionLimit, Timestamp, UserKey,
};

use super::*;
use crate::model::{Answer, Model, Op};
use crate::script::{BEGIN, hash, id, user};

type Calls = Vec<Call<Model>>;

const NOW: Timestamp = BEGIN;

fn record(number: u64) -> Record {
    let expires = Timestamp::from_millis(BEGIN.as_millis() + 3_600_000);
    Record::new(Session::new(id(number), user(0), NOW, expires), hash(0))
}

fn create(number: u64) -> Op {
    Op::Create {
        record: Box::new(record(number)),
        replaces: None,
        limit: None,
        now: NOW,
    }
}

fn limited(number: u64) -> Op {
    Op::Create {
        record: Box::new(record(number)),
        replaces: None,
        limit: Some(SessionLimit::new(NonZeroU32::MIN, LimitPolicy::EvictOldest)),
        now: NOW,
    }
}

fn created(evicted: &[u64]) -> Answer {
    Answer::Created {
        replaced: false,
        evicted: evicted.iter().copied().map(id).collect(),
    }
}

fn fetch(number: u64) -> Op {
    Op::Fetch {
        id: id(number),
        now: NOW,
    }
}

fn some(number: u64) -> Answer {
    Answer::Record(Some(Box::new(record(number))))
}

const NONE: Answer = Answer::Record(None);

fn delete(number: u64) -> Op {
    let id: SessionId = id(number);
    Op::Delete { id, owner: None }
}

fn delete_user() -> Op {
    let user: UserKey = user(0);
    let except = Vec::new();
    Op::DeleteUser { user, except }
}

fn list() -> Op {
    let user = user(0);
    Op::List { user, now: NOW }
}

fn records(numbers: &[u64]) -> Answer {
    Answer::Records(numbers.iter().copied().map(record).collect())
}

fn renew(from: u8, to: u8) -> Op {
    Op::Update {
        id: id(1),
        change: Box::new(Change::renew(hash(from), hash(to))),
        now: NOW,
    }
}

fn renewed(to: SecretHash) -> Answer {
    let mut renewed = record(1);
    renewed.secret_hash = to;
    Answer::Record(Some(Box::new(renewed)))
}

/// A call from one moment to another.
fn call(called: u64, returned: u64, op: Op, answer: Answer) -> Call<Model> {
    Call {
        client: 0,
        op,
        answer: Some(answer),
        called,
        returned: Some(returned),
        after: None,
    }
}

/// A call whose outcome nobody knows.
fn unknown(called: u64, op: Op) -> Call<Model> {
    Call {
        client: 0,
        op,
        answer: None,
        called,
        returned: None,
        after: None,
    }
}

fn cases() -> Vec<(&'static str, bool, Calls)> {
    let deleted = Answer::Deleted;
    let start = || call(0, 1, create(1), created(&[]));
    vec![
        ("nothing", true, vec![]),
        (
            "a read of what is there",
            true,
            vec![start(), call(2, 3, fetch(1), some(1))],
        ),
        (
            "a lost login",
            false,
            vec![start(), call(2, 3, fetch(1), NONE)],
        ),
        (
            "a stale read after an answered delete",
            false,
            vec![
                start(),
                call(2, 3, delete(1), deleted(true)),
                call(4, 5, fetch(1), some(1)),
            ],
        ),
        (
            "a read that began before the answer",
            true,
            vec![
                start(),
                call(2, 4, delete(1), deleted(true)),
                call(3, 5, fetch(1), some(1)),
            ],
        ),
        (
            "seen as gone, then seen again, while the delete runs",
            false,
            vec![
                start(),
                call(2, 9, delete(1), deleted(true)),
                call(3, 4, fetch(1), NONE),
                call(5, 6, fetch(1), some(1)),
            ],
        ),
        (
            "two deletes that both did it",
            false,
            vec![
                start(),
                call(2, 4, delete(1), deleted(true)),
                call(3, 5, delete(1), deleted(true)),
            ],
        ),
        (
            "two creates of one id",
            false,
            vec![
                call(0, 2, create(1), created(&[])),
                call(1, 3, create(1), created(&[])),
            ],
        ),
        (
            "two creates, one of them refused",
            true,
            vec![
                call(0, 2, create(1), Answer::Duplicate),
                call(1, 3, create(1), created(&[])),
            ],
        ),
        (
            "a read of what is made later",
            false,
            vec![
                call(0, 1, fetch(1), some(1)),
                call(2, 3, create(1), created(&[])),
            ],
        ),
        (
            "a lost update: two renewals from one secret",
            false,
            vec![
                start(),
                call(2, 4, renew(0, 1), renewed(hash(1))),
                call(3, 5, renew(0, 2), renewed(hash(2))),
            ],
        ),
        (
            "two renewals, one of them too late",
            true,
            vec![
                start(),
                call(2, 4, renew(0, 1), NONE),
                call(3, 5, renew(0, 2), renewed(hash(2))),
            ],
        ),
        (
            "two sessions where one is allowed",
            false,
            vec![
                call(0, 2, limited(1), created(&[])),
                call(1, 3, limited(2), created(&[])),
            ],
        ),
        (
            "a list torn within a revocation of all",
            false,
            vec![
                start(),
                call(2, 3, create(2), created(&[])),
                call(4, 7, delete_user(), Answer::Count(2)),
                call(5, 6, list(), records(&[2])),
            ],
        ),
        (
            "a list between two revocations",
            true,
            vec![
                start(),
                call(2, 3, create(2), created(&[])),
                call(4, 8, delete(1), deleted(true)),
                call(5, 9, delete(2), deleted(true)),
                call(6, 7, list(), records(&[2])),
            ],
        ),
        (
            "two lists that disagree about the order",
            false,
            vec![
                start(),
                call(2, 3, create(2), created(&[])),
                call(4, 10, delete(1), deleted(true)),
                call(5, 11, delete(2), deleted(true)),
                call(6, 7, list(), records(&[2])),
                call(8, 9, list(), records(&[1])),
            ],
        ),
        (
            "an unknown delete that happened late",
            true,
            vec![
                start(),
                unknown(2, delete(1)),
                call(3, 4, fetch(1), some(1)),
                call(5, 6, fetch(1), NONE),
            ],
        ),
        (
            "an unknown delete that never happened",
            true,
            vec![
                start(),
                unknown(2, delete(1)),
                call(3, 4, fetch(1), some(1)),
            ],
        ),
        (
            "an unknown delete that happened and did not",
            false,
            vec![
                start(),
                unknown(2, delete(1)),
                call(3, 4, fetch(1), NONE),
                call(5, 6, fetch(1), some(1)),
            ],
        ),
        (
            "an unknown login does not explain what was seen before it",
            false,
            vec![call(0, 1, fetch(1), some(1)), unknown(2, create(1))],
        ),
        (
            "an unknown login that was seen and then ended",
            true,
            vec![
                unknown(0, create(1)),
                Call {
                    after: Some(0),
                    ..unknown(1, delete(1))
                },
                call(2, 3, fetch(1), some(1)),
                call(4, 5, fetch(1), NONE),
            ],
        ),
        (
            "what comes second does not come first",
            false,
            vec![
                start(),
                unknown(2, create(1)),
                Call {
                    after: Some(2),
                    ..unknown(3, delete(1))
                },
                // Between them there would be none.
                call(4, 5, fetch(1), NONE),
                call(6, 7, create(1), Answer::Duplicate),
                call(8, 9, fetch(1), some(1)),
            ],
        ),
    ]
}

#[test]
fn known_histories_are_told_apart() {
    for (name, is_explained, calls) in cases() {
        let expected = match is_explained {
            true => Verdict::Explained,
            false => Verdict::Unexplained,
        };
        assert_eq!(check(&Model::default(), &calls, 10_000), expected, "{name}");
        // In whatever order they are written down.
        let reversed: Calls = calls.into_iter().rev().collect();
        assert_eq!(
            check(&Model::default(), &reversed, 10_000),
            expected,
            "{name}"
        );
    }
}

#[test]
fn what_is_left_of_an_unexplained_history_is_unexplained() {
    for (name, is_explained, mut calls) in cases() {
        if is_explained {
            continue;
        }
        let begin = calls.len();
        for at in [100, 102, 104] {
            calls.push(call(at, at + 1, fetch(9), NONE));
        }
        let left = shortest(&Model::default(), &calls, 10_000);
        assert!(left.len() <= begin, "{name}: {left:#?}");
        assert_eq!(
            check(&Model::default(), &left, 10_000),
            Verdict::Unexplained,
            "{name}"
        );
    }
}

#[test]
fn search_that_is_too_long_is_not_decided() {
    let calls: Calls = (0..12)
        .map(|n| call(n, 100 + n, create(n), created(&[])))
        .chain([call(50, 200, fetch(99), some(99))])
        .collect();
    assert_eq!(check(&Model::default(), &calls, 100), Verdict::Undecided);
    assert_eq!(
        check(&Model::default(), &calls, 100_000),
        Verdict::Unexplained
    );
    let many: Calls = (0..LONGEST as u64 + 1)
        .map(|n| call(2 * n, 2 * n + 1, fetch(1), NONE))
        .collect();
    assert_eq!(check(&Model::default(), &many, 100_000), Verdict::Undecided);
}

#[test]
fn states_that_differ_have_other_fingerprints() {
    let base = record(1);
    let of = |change: fn(&mut Record)| {
        let mut record = base.clone();
        change(&mut record);
        Model::of([record]).fingerprint()
    };
    let mut all = vec![
        of(|_| {}),
        of(|it| it.session.id = id(2)),
        of(|it| it.session.user_key = user(1)),
        of(|it| it.secret_hash = hash(1)),
        of(|it| it.session.last_seen_at = Timestamp::MAX),
        of(|it| it.session.expires_at = Timestamp::MAX),
        of(|it| drop(it.session.meta.insert("a", 1))),
        of(|it| drop(it.session.meta.insert("a", 2))),
        Model::default().fingerprint(),
    ];
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}
