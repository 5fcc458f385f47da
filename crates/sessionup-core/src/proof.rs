//! What a token proves, and what follows from it for the tokens of its session.

use std::time::Duration;

use crate::{Record, Replaced, SecretHash, Timestamp, lifetime};

/// What a token proves about a live session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// It is the session's.
    Current,
    /// It was replaced, and is still accepted.
    Superseded,
    /// It was replaced a moment ago, and is no longer accepted. Requests that were under way then
    /// bring it.
    Late,
    /// It was replaced a while ago: somebody has it who should not.
    Reused,
}

/// Says what a token proves; `None` if it is none of this session's.
pub(crate) fn prove(
    record: &Record,
    hash: &SecretHash,
    now: Timestamp,
    grace: Duration,
) -> Option<Proof> {
    if record.secret_hash == *hash {
        return Some(Proof::Current);
    }
    let replaced = record.replaced.filter(|replaced| replaced.hash == *hash)?;
    let Some(until) = replaced.accepted_until else {
        return Some(Proof::Superseded);
    };
    // A clock that steps back brings nothing to life that was dead at once.
    let is_accepted = now >= replaced.at && until > replaced.at && lifetime::is_live(until, now);
    Some(if is_accepted {
        Proof::Superseded
    } else if lifetime::is_live(until.max(replaced.at.saturating_add(grace)), now) {
        Proof::Late
    } else {
        Proof::Reused
    })
}

/// What is to be done about the token of a request that is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenChange {
    /// The new token was used for the first time, so the old one has had its day.
    Confirm(Replaced),
    /// It is time for another one.
    Renew,
}

/// Says what is to be done about a token; `every` is how often tokens are renewed by time.
pub(crate) fn token_change(
    record: &Record,
    proof: Proof,
    now: Timestamp,
    every: Option<Duration>,
    grace: Duration,
) -> Option<TokenChange> {
    let unconfirmed = record.replaced.filter(|r| r.accepted_until.is_none());
    if let (Proof::Current, Some(replaced)) = (proof, unconfirmed) {
        let until = now.saturating_add(grace);
        return Some(TokenChange::Confirm(replaced.accepted_until(Some(until))));
    }
    let since = match record.replaced {
        Some(replaced) => replaced.at,
        None => record.session.created_at,
    };
    let is_due = every.is_some_and(|every| !lifetime::is_live(since.saturating_add(every), now));
    let may_renew = match proof {
        Proof::Current => true,
        // The response with the new token must have been lost.
        Proof::Superseded => unconfirmed.is_some(),
        Proof::Late | Proof::Reused => false,
    };
    (is_due && may_renew).then_some(TokenChange::Renew)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Session, SessionId, UserKey};

    const GRACE: Duration = Duration::from_millis(10);
    const EVERY: Option<Duration> = Some(Duration::from_millis(100));

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    const fn hash(n: u8) -> SecretHash {
        SecretHash::from_bytes([n; 32])
    }

    /// A session made at 0 that holds hash 2.
    fn record(replaced: Option<Replaced>) -> Record {
        let user = UserKey::new("ann").unwrap();
        let id = SessionId::from_bytes([0; 16]);
        let mut record = Record::new(Session::new(id, user, at(0), Timestamp::MAX), hash(2));
        record.replaced = replaced;
        record
    }

    /// Hash 1 was replaced at 1000.
    fn replaced(accepted_until: Option<i64>) -> Option<Replaced> {
        Some(Replaced::new(hash(1), at(1_000)).accepted_until(accepted_until.map(at)))
    }

    #[test]
    fn what_a_token_proves() {
        use Proof::{Current, Late, Reused, Superseded};
        let cases = [
            ("present one", None, 2, 9_999, Some(Current)),
            (
                "present one, renewed",
                replaced(None),
                2,
                9_999,
                Some(Current),
            ),
            ("none", None, 1, 0, None),
            ("neither", replaced(None), 3, 0, None),
            (
                "new one unused",
                replaced(None),
                1,
                999_999,
                Some(Superseded),
            ),
            (
                "in the grace",
                replaced(Some(1_010)),
                1,
                1_009,
                Some(Superseded),
            ),
            (
                "after the grace",
                replaced(Some(1_010)),
                1,
                1_010,
                Some(Reused),
            ),
            (
                "confirmed late",
                replaced(Some(5_000)),
                1,
                4_999,
                Some(Superseded),
            ),
            ("after that", replaced(Some(5_000)), 1, 5_000, Some(Reused)),
            ("at once", replaced(Some(1_000)), 1, 1_000, Some(Late)),
            ("under way", replaced(Some(1_000)), 1, 1_009, Some(Late)),
            (
                "dead, clock back",
                replaced(Some(1_000)),
                1,
                999,
                Some(Late),
            ),
            (
                "grace, clock back",
                replaced(Some(1_010)),
                1,
                999,
                Some(Late),
            ),
            (
                "no longer so",
                replaced(Some(1_000)),
                1,
                1_010,
                Some(Reused),
            ),
        ];
        for (name, replaced, presented, now, expected) in cases {
            let proof = prove(&record(replaced), &hash(presented), at(now), GRACE);
            assert_eq!(proof, expected, "{name}");
        }
    }

    #[test]
    fn what_is_done_about_a_token() {
        use Proof::{Current, Late, Reused, Superseded};
        use TokenChange::{Confirm, Renew};
        let confirm = |now: i64| Some(Confirm(replaced(Some(now + 10)).unwrap()));
        let renew = Some(Renew);
        let cases = [
            ("not due", Current, None, EVERY, 99, None),
            ("due", Current, None, EVERY, 100, renew),
            ("off", Current, None, None, 9_999, None),
            (
                "first use",
                Current,
                replaced(None),
                EVERY,
                1_001,
                confirm(1_001),
            ),
            (
                "first use, late",
                Current,
                replaced(None),
                EVERY,
                9_999,
                confirm(9_999),
            ),
            (
                "first use, off now",
                Current,
                replaced(None),
                None,
                1_001,
                confirm(1_001),
            ),
            (
                "confirmed",
                Current,
                replaced(Some(1_010)),
                EVERY,
                1_099,
                None,
            ),
            (
                "due again",
                Current,
                replaced(Some(1_010)),
                EVERY,
                1_100,
                renew,
            ),
            ("parallel", Superseded, replaced(None), EVERY, 1_099, None),
            (
                "response lost",
                Superseded,
                replaced(None),
                EVERY,
                1_100,
                renew,
            ),
            (
                "in the grace",
                Superseded,
                replaced(Some(9_999)),
                EVERY,
                5_000,
                None,
            ),
            ("late", Late, replaced(Some(1_000)), EVERY, 5_000, None),
            ("reused", Reused, replaced(Some(1_000)), EVERY, 5_000, None),
        ];
        for (name, proof, replaced, every, now, expected) in cases {
            let change = token_change(&record(replaced), proof, at(now), every, GRACE);
            assert_eq!(change, expected, "{name}");
        }
    }
}
