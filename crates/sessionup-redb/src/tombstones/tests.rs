//! What is kept in memory of tombstones, and their bytes.

use super::*;

fn user(key: &str) -> UserKey {
    UserKey::new(key).unwrap()
}

fn id(number: u8) -> SessionId {
    SessionId::from_bytes([number; 16])
}

fn revocation(target: Target, before: Generation, kept: &[SessionId]) -> Revocation {
    Revocation {
        target,
        before,
        kept: kept.to_vec(),
    }
}

/// Changes tombstones as a transaction that succeeds does.
fn change(tombstones: &Arc<Tombstones>, change: impl FnOnce(&mut Draft)) {
    let mut draft = tombstones.draft();
    change(&mut draft);
    draft.keep();
}

fn left(tombstones: &Arc<Tombstones>, key: &str) -> Option<Vec<SessionId>> {
    tombstones.draft().left(&user(key))
}

/// The bytes on disk, which no later version may read otherwise.
#[test]
fn encode_of_known_rows_gives_known_bytes() {
    let rows: [(&[u8], _); 3] = [(b"generation", 1), (b"", 2), (b"ann", 3)];
    let encoded = rows.map(|(key, generation)| encode(key, generation));
    assert_eq!(encoded, [81_263, 164_018, 229_208]);
}

#[test]
fn decode_with_any_flipped_bit_fails() {
    let value = encode(b"ann", 7);
    assert_eq!(decode(b"ann", value), Some(7));
    assert_eq!(decode(b"bob", value), None);
    for bit in 0..64 {
        assert_eq!(decode(b"ann", value ^ (1 << bit)), None, "{bit}");
    }
}

#[test]
fn left_after_revocation_has_kept_and_new_sessions() {
    let tombstones = Arc::new(Tombstones::new(0));
    assert_eq!(left(&tombstones, "ann"), None);
    let ann = || Target::User(user("ann"));

    change(&tombstones, |draft| {
        draft.revoke(&revocation(ann(), 1, &[id(1)]))
    });
    assert_eq!(left(&tombstones, "ann"), Some(vec![id(1)]));
    assert_eq!(left(&tombstones, "bob"), None);
    change(&tombstones, |draft| draft.add(&user("ann"), id(2)));
    assert_eq!(left(&tombstones, "ann"), Some(vec![id(1), id(2)]));
    change(&tombstones, |draft| draft.remove(&user("ann"), id(1)));
    assert_eq!(left(&tombstones, "ann"), Some(vec![id(2)]));

    change(&tombstones, |draft| {
        draft.revoke(&revocation(ann(), 2, &[id(2)]))
    });
    assert_eq!(left(&tombstones, "ann"), Some(vec![id(2)]));
    assert_eq!(tombstones.draft().bound(&user("ann")), 2);
    change(&tombstones, |draft| draft.remove_row(&ann()));
    assert_eq!(left(&tombstones, "ann"), None);
    assert!(!tombstones.has_rows());
    assert_eq!(tombstones.draft().generation(), 2);
}

#[test]
fn left_after_revocation_of_everybody_is_empty() {
    let tombstones = Arc::new(Tombstones::new(0));
    let ann = Target::User(user("ann"));
    change(&tombstones, |draft| {
        draft.revoke(&revocation(ann, 1, &[id(1)]))
    });

    let everybody = revocation(Target::Everybody, 2, &[]);
    change(&tombstones, |draft| draft.revoke(&everybody));

    for key in ["ann", "bob"] {
        assert_eq!(left(&tombstones, key), Some(vec![]), "{key}");
    }
    change(&tombstones, |draft| draft.add(&user("bob"), id(3)));
    assert_eq!(left(&tombstones, "bob"), Some(vec![id(3)]));
    let (target, _) = tombstones.draft().next().unwrap();
    assert_eq!(target, Target::Everybody, "the row of one user is subsumed");
    change(&tombstones, |draft| draft.remove_row(&Target::Everybody));
    assert_eq!(left(&tombstones, "bob"), None);
}

#[test]
fn draft_that_is_dropped_changes_nothing() {
    let tombstones = Arc::new(Tombstones::new(0));
    let mut draft = tombstones.draft();
    draft.revoke(&revocation(Target::Everybody, 1, &[]));
    assert_eq!(draft.left(&user("ann")), Some(vec![]));
    drop(draft);
    assert_eq!(left(&tombstones, "ann"), None);
    assert_eq!(tombstones.draft().generation(), 0);
}

#[test]
fn progress_of_deleting_begins_anew_with_another_revocation() {
    let tombstones = Arc::new(Tombstones::new(0));
    let ann = || Target::User(user("ann"));
    change(&tombstones, |draft| {
        draft.revoke(&revocation(ann(), 1, &[]))
    });
    change(&tombstones, |draft| draft.advance(&ann(), Some(id(5))));
    assert_eq!(tombstones.draft().next(), Some((ann(), Some(id(5)))));
    change(&tombstones, |draft| {
        draft.revoke(&revocation(ann(), 2, &[]))
    });
    assert_eq!(tombstones.draft().next(), Some((ann(), None)));
}
