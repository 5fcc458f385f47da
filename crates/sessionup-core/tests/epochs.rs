//! The order of revocations, as authors of stores use it.

#![allow(clippy::unwrap_used, missing_docs)]

use sessionup_core::UserKey;
use sessionup_core::store::Epochs;

/// As many users as are remembered.
const USERS: u32 = 65_536;

#[test]
fn revoke_when_all_are_forgotten_returns_the_moment_before() {
    let epochs = Epochs::new();
    for n in 0..USERS {
        epochs.revoke(&UserKey::new(n.to_string()).unwrap());
    }
    let begun = epochs.now();

    let (previous, epoch) = epochs.revoke(&UserKey::new("one too many").unwrap());

    assert!(begun.is_from(previous), "nobody had revoked this user's");
    assert!(!begun.is_from(epoch));
}
