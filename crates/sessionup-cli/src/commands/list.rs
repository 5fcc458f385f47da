//! `sessionup list`

use std::cmp::Reverse;

use sessionup_core::{Session, Timestamp};

use super::{Damages, has_ended};
use crate::args::{List, Sort};
use crate::failure::Failure;
use crate::output;
use crate::store::Place;
use crate::view::{self, SessionView};

pub(super) fn run(args: &List, now: Timestamp) -> Result<(), Failure> {
    let user = args.user.as_deref().map(super::user).transpose()?;
    let view = Place::from(&args.place).look()?;
    let mut damages = Damages::default();
    let mut sessions = Vec::new();
    let mut take = |session: Result<Session, _>| match session {
        Ok(session) if args.expired || !has_ended(&session, now) => sessions.push(session),
        Ok(_) => {}
        Err(damage) => damages.tell(damage),
    };
    match &user {
        Some(user) => {
            let found = view.of_user(user)?;
            found.into_iter().for_each(|(_, session)| take(session));
        }
        None => {
            let bar = output::bar("Reading", view.count()?);
            view.each(|_, session| {
                bar.inc(1);
                match session {
                    Ok(_) => take(session),
                    // It is told of.
                    Err(_) => bar.suspend(|| take(session)),
                }
                Ok(())
            })?;
            bar.finish_and_clear();
        }
    }
    sort(&mut sessions, args.sort);
    if args.json.json {
        let views = sessions.iter().map(|session| SessionView::of(session, now));
        output::json(&views.collect::<Vec<_>>())?;
    } else if sessions.is_empty() {
        output::tell(&match &args.user {
            Some(user) => format!("{user} has no sessions"),
            None => "there are no sessions".into(),
        });
    } else {
        let text = view::table(&sessions, user.is_none(), now, output::width());
        output::print(&text)?;
    }
    damages.into_result()
}

fn sort(sessions: &mut [Session], order: Sort) {
    let created = |session: &Session| (session.created_at, session.id);
    match order {
        Sort::Created => sessions.sort_by_key(created),
        Sort::Seen => sessions.sort_by_key(|session| (Reverse(session.last_seen_at), session.id)),
        Sort::Expires => sessions.sort_by_key(|session| (session.deadline(), session.id)),
        Sort::User => sessions.sort_by(|one, other| {
            let keys = one.user_key.as_str().cmp(other.user_key.as_str());
            keys.then_with(|| created(one).cmp(&created(other)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sessionup_core::{SessionId, UserKey};

    use super::*;

    #[test]
    fn orders() {
        // User, created, seen, expires.
        let given = [
            (1, "cleo", 30, 60, 400),
            (2, "ann", 10, 90, 300),
            (3, "bob", 20, 70, 100),
            (4, "ann", 10, 60, 200),
        ];
        let cases = [
            (Sort::Created, [2, 4, 3, 1]),
            (Sort::Seen, [2, 3, 1, 4]),
            (Sort::Expires, [3, 4, 2, 1]),
            (Sort::User, [2, 4, 3, 1]),
        ];
        for (order, expected) in cases {
            let mut sessions = given.map(|(id, user, created, seen, expires)| {
                let at = Timestamp::from_millis;
                let id = SessionId::from_bytes([id; 16]);
                let user = UserKey::new(user).unwrap();
                let mut session = Session::new(id, user, at(created), at(expires));
                session.last_seen_at = at(seen);
                session
            });
            sort(&mut sessions, order);
            let ids = sessions.map(|session| session.id.as_bytes()[0]);
            assert_eq!(ids, expected, "{order:?}");
        }
    }

    #[test]
    fn sessions_end_when_they_are_idle_too() {
        let at = Timestamp::from_millis;
        let session = |id: u8, idle: Option<u64>| {
            let user = UserKey::new("ann").unwrap();
            let mut session = Session::new(SessionId::from_bytes([id; 16]), user, at(0), at(1_000));
            session.idle_timeout = idle.map(Duration::from_millis);
            session
        };
        let mut sessions = [session(1, None), session(2, Some(10))];
        sort(&mut sessions, Sort::Expires);
        assert_eq!(sessions[0].id.as_bytes()[0], 2);
    }
}
