use std::slice::from_ref;

use super::*;

const NOON: u64 = 1_767_268_800_000;

fn id(millis: u64) -> SessionId {
    SessionId::from_bytes((u128::from(millis) << 80).to_be_bytes())
}

/// The session of a user that began so long after noon.
fn entry(user: &str, millis: u64) -> Entry {
    (UserKey::new(user).unwrap(), id(NOON + millis))
}

fn unlisted(capacity: usize) -> Arc<Unlisted> {
    Arc::new(Unlisted::new(Pace::Few(capacity)))
}

/// Adds sessions with a transaction that succeeds; returns what it enters.
fn add(unlisted: &Arc<Unlisted>, entries: &[Entry]) -> Vec<Entry> {
    let mut draft = unlisted.draft();
    let due = draft.due(0, entries.len());
    for entry in entries {
        assert!(draft.add(entry.clone()), "{entry:?}");
    }
    draft.show();
    draft.keep();
    due
}

fn waiting(unlisted: &Unlisted) -> Vec<Entry> {
    unlisted.hold().entries.iter().cloned().collect()
}

fn from(unlisted: &Unlisted) -> Scope {
    unlisted.hold().progress.scope
}

#[test]
fn how_many_are_due() {
    let (usual, few) = (Pace::Usual, Pace::Few(3));
    let cases = [
        ("few wait", usual, 1_087, false, 0, 1, 0),
        ("many wait", usual, 1_088, false, 0, 1, 128),
        ("for many logins", usual, 1_088, false, 0, 100, 200),
        ("for very many logins", usual, 1_088, false, 0, 9_999, MOST),
        ("nobody logs in", usual, 1_088, false, 0, 0, 0),
        ("large store", usual, 62_563, false, 1_000_000, 1, 0),
        (
            "large store, many wait",
            usual,
            62_564,
            false,
            1_000_000,
            1,
            128,
        ),
        ("very large store", usual, 65_600, false, u64::MAX, 1, 128),
        ("id was out of scope", usual, 1, true, 0, 1, 128),
        ("test", few, 3, false, 0, 1, 0),
        ("test, one too many", few, 4, false, 0, 1, 2),
    ];
    for (name, pace, waiting, strayed, stored, creates, expected) in cases {
        assert_eq!(
            pace.due(waiting, strayed, stored, creates),
            expected,
            "{name}"
        );
    }
}

#[test]
fn cycle_goes_on_by_user_and_begins_anew_at_the_end() {
    let unlisted = unlisted(3);
    let [a, b, c, d] = [entry("a", 1), entry("b", 2), entry("c", 3), entry("d", 4)];
    assert_eq!(
        add(&unlisted, &[c.clone(), a.clone(), d.clone(), b.clone()]),
        []
    );
    let begun = from(&unlisted);

    // In the order of the users.
    let e = entry("aa", 5);
    assert_eq!(add(&unlisted, from_ref(&e)), [a, b]);
    assert_eq!(waiting(&unlisted), [e.clone(), c.clone(), d.clone()]);
    let f = entry("z", 6);
    assert_eq!(add(&unlisted, from_ref(&f)), []);
    let g = entry("b", 7);
    assert_eq!(add(&unlisted, from_ref(&g)), [c, d]);
    assert_eq!(waiting(&unlisted), [e.clone(), g.clone(), f.clone()]);
    assert_eq!(from(&unlisted), begun, "the cycle is not over");

    // At the end, the floor is that of the first cycle's first transaction.
    assert_eq!(add(&unlisted, &[entry("a", 8)]), []);
    assert_eq!(add(&unlisted, &[entry("b", 9)]), [f, entry("a", 8)]);
    let moved = Scope::Within(Window::from(NOON + 1));
    assert_eq!(from(&unlisted), moved);
    assert_eq!(waiting(&unlisted), [e, g, entry("b", 9)]);
    assert_eq!(add(&unlisted, &[entry("z", 10)]), []);
    let due = add(&unlisted, &[entry("y", 11), entry("x", 12)]);
    assert_eq!(
        due,
        [entry("aa", 5), entry("b", 7), entry("b", 9), entry("z", 10)]
    );
    assert_eq!(from(&unlisted), moved, "the second cycle is not over");
    add(&unlisted, &[entry("a", 13), entry("b", 14)]);
    assert_eq!(
        add(&unlisted, &[entry("a", 15)]),
        [entry("a", 13), entry("b", 14)]
    );
    // The earliest of those who came since the second cycle began.
    assert_eq!(from(&unlisted), Scope::Within(Window::from(NOON + 9)));
}

#[test]
fn transaction_that_fails_leaves_all_as_it_was() {
    let unlisted = unlisted(0);
    let (a, b) = (entry("a", 1), entry("b", 2));
    add(&unlisted, from_ref(&a));
    let before = from(&unlisted);

    let mut draft = unlisted.draft();
    assert_eq!(draft.due(0, 1), from_ref(&a));
    assert!(draft.add(b.clone()));
    draft.remove(a.clone());
    draft.show();
    assert_eq!(waiting(&unlisted), [a.clone(), b], "readers see both");
    draft.take_back();

    assert_eq!(waiting(&unlisted), from_ref(&a));
    assert_eq!(from(&unlisted), before);
    assert_eq!(unlisted.draft().due(0, 1), [a]);
}

#[test]
fn session_that_ended_is_not_entered() {
    let unlisted = unlisted(0);
    let (a, b) = (entry("a", 1), entry("b", 2));
    add(&unlisted, &[a.clone(), b.clone()]);
    let mut draft = unlisted.draft();
    draft.remove(a.clone());
    assert!(!draft.contains(&a) && draft.contains(&b));
    assert_eq!(draft.of(&a.0), []);
    // As it ends, and one that begins and ends.
    let c = entry("c", 3);
    assert!(draft.add(c.clone()));
    draft.remove(c);
    draft.show();
    draft.keep();
    assert_eq!(add(&unlisted, &[entry("d", 4)]), [b]);
}

#[test]
fn session_that_begins_anew_waits() {
    let unlisted = unlisted(0);
    let a = entry("a", 1);
    add(&unlisted, from_ref(&a));
    let mut draft = unlisted.draft();
    // Entered, ended and begun anew by one transaction.
    assert_eq!(draft.due(0, 1), from_ref(&a));
    draft.remove(a.clone());
    assert!(draft.add(a.clone()));
    assert_eq!(draft.of(&a.0), [a.1]);
    draft.show();
    draft.keep();
    assert_eq!(waiting(&unlisted), [a]);
}

#[test]
fn session_of_whoever_it_was() {
    let unlisted = unlisted(0);
    let (a, b) = (entry("a", 1), entry("b", 2));
    add(&unlisted, &[a.clone(), b.clone()]);
    let mut draft = unlisted.draft();
    draft.remove_id(a.1);
    draft.show();
    draft.keep();
    assert_eq!(waiting(&unlisted), [b]);
}

#[test]
fn what_is_out_of_scope_does_not_wait() {
    let unlisted = unlisted(9);
    let (early, late) = (entry("a", 0), entry("a", 1 << 36));
    add(&unlisted, from_ref(&early));
    let mut draft = unlisted.draft();
    assert!(!draft.add(late.clone()));
    draft.show();
    draft.keep();
    assert_eq!(waiting(&unlisted), from_ref(&early));
    // Those who wait make room for a scope of its own.
    let mut draft = unlisted.draft();
    assert_eq!(draft.due(0, 1), [early]);
    assert!(draft.add(late.clone()));
    draft.show();
    draft.keep();
    assert_eq!(from(&unlisted), Scope::Within(Window::around(late.1)));
}

#[test]
fn nothing_waits_when_all_are_taken() {
    let unlisted = unlisted(9);
    let (a, b) = (entry("a", 1), entry("b", 2));
    add(&unlisted, &[b.clone(), a.clone()]);
    let mut draft = unlisted.draft();
    assert_eq!(draft.all(), [a, b]);
    draft.show();
    draft.keep();
    assert_eq!(unlisted.waiting(), (0, false));
}
