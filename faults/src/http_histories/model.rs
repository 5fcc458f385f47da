//! What a user sees of sessions through HTTP.
//!
//! A request is no single step: it is let in, proves itself once more, and acts. Each of these is a
//! call of its own, and what one found is held for the next.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::linear::Object;

/// A session's public id.
pub(super) type Id = String;
/// What a cookie holds.
pub(super) type Token = String;
pub(super) type User = String;

/// A step of a request, which is named by a number.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) request: u64,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// A login comes in.
    Arrive(User),
    /// A request is let in by its token, or not.
    Load(Option<Token>),
    /// The session of a token is looked for by who may end it, also with the one before.
    Find(Option<Token>),
    /// A request that was let in is proved once more.
    Prove(Option<Token>),
    /// Says who was let in.
    WhoAmI,
    /// Lists the sessions of who was let in.
    List,
    /// Ends what was found.
    Logout,
    /// Ends one of the user's own.
    Revoke(Id),
    /// Ends all of the user's, or all others. One whose answer was lost overtakes by itself.
    RevokeAll { keeps_own: bool, overtakes: bool },
    /// Gives the session another token; nobody knows it if the answer was lost.
    Renew(Option<Token>, Option<Token>),
    /// Begins a session, ending what was found; nobody knows it if the answer was lost.
    Begin(User, Option<(Id, Token)>),
    /// Overtakes the logins under way, as a revocation of unknown outcome may do.
    Overtake(User),
}

/// What came of the last step of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    /// 401.
    NoSession,
    /// 409.
    Overtaken,
    Session(Id, User),
    Sessions(BTreeSet<Id>),
    Found(bool),
    Count(u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Session {
    user: User,
    /// `None` if nobody knows it.
    token: Option<Token>,
    before: Option<Token>,
}

/// What a request holds between two steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Held {
    begun: Option<u64>,
    /// What was found, if it was looked for.
    session: Option<Option<(Id, User)>>,
}

/// The live sessions, and what requests know of them.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct World {
    sessions: BTreeMap<Id, Session>,
    revocations: BTreeMap<User, u64>,
    held: BTreeMap<u64, Held>,
}

impl World {
    fn find(&self, token: Option<&Token>, with_before: bool) -> Option<(Id, User)> {
        let is_it = |session: &Session| {
            session.token.as_ref() == token || with_before && session.before.as_ref() == token
        };
        token?;
        let mut sessions = self.sessions.iter();
        let (id, session) = sessions.find(|(_, session)| is_it(session))?;
        Some((id.clone(), session.user.clone()))
    }

    fn overtake(&mut self, user: &User) {
        *self.revocations.entry(user.clone()).or_default() += 1;
    }

    /// Carries a step out; `None` if one before it is still to come.
    fn apply(&mut self, step: &Step) -> Option<Answer> {
        let held = self.held.remove(&step.request).unwrap_or_default();
        let keep = |world: &mut Self, held| {
            world.held.insert(step.request, held);
            Some(Answer::Done)
        };
        match &step.what {
            What::Arrive(user) => {
                let begun = Some(self.revocations.get(user).copied().unwrap_or_default());
                return keep(self, Held { begun, ..held });
            }
            What::Load(token) | What::Find(token) => {
                let with_before = matches!(step.what, What::Find(_));
                let session = Some(self.find(token.as_ref(), with_before));
                return keep(self, Held { session, ..held });
            }
            What::Overtake(user) => {
                self.overtake(user);
                return Some(Answer::Done);
            }
            _ => {}
        }
        let found = held.session.clone()?;
        if let What::Prove(token) = &step.what {
            let session = Some(found.and_then(|_| self.find(token.as_ref(), false)));
            return keep(self, Held { session, ..held });
        }
        match &step.what {
            What::Logout => {
                found.map(|(id, _)| self.sessions.remove(&id));
                return Some(Answer::Done);
            }
            What::Begin(user, new) => return self.begin(user, new.as_ref(), held.begun?, found),
            _ => {}
        }
        let Some((own, user)) = found else {
            return Some(Answer::NoSession);
        };
        Some(self.act(&step.what, own, user))
    }

    fn begin(
        &mut self,
        user: &User,
        new: Option<&(Id, Token)>,
        begun: u64,
        replaces: Option<(Id, User)>,
    ) -> Option<Answer> {
        if self.revocations.get(user).copied().unwrap_or_default() != begun {
            return Some(Answer::Overtaken);
        }
        replaces.map(|(id, _)| self.sessions.remove(&id));
        if let Some((id, token)) = new {
            let session = Session {
                user: user.clone(),
                token: Some(token.clone()),
                before: None,
            };
            self.sessions.insert(id.clone(), session);
        }
        Some(Answer::Done)
    }

    /// Does what a request was let in for.
    fn act(&mut self, what: &What, own: Id, user: User) -> Answer {
        match what {
            What::WhoAmI => Answer::Session(own, user),
            What::List => {
                let theirs = self.sessions.iter().filter(|(_, it)| it.user == user);
                Answer::Sessions(theirs.map(|(id, _)| id.clone()).collect())
            }
            What::Revoke(id) => {
                let is_theirs = self.sessions.get(id).is_some_and(|it| it.user == user);
                if is_theirs {
                    self.sessions.remove(id);
                }
                Answer::Found(is_theirs)
            }
            What::RevokeAll {
                keeps_own,
                overtakes,
            } => {
                let before = self.sessions.len();
                let stays = |id: &Id| *keeps_own && *id == own;
                self.sessions
                    .retain(|id, session| session.user != user || stays(id));
                if *overtakes {
                    self.overtake(&user);
                }
                Answer::Count((before - self.sessions.len()) as u64)
            }
            What::Renew(from, to) => match self.sessions.get_mut(&own) {
                Some(session) if session.token == *from => {
                    session.before = std::mem::replace(&mut session.token, to.clone());
                    Answer::Done
                }
                Some(_) | None => Answer::NoSession,
            },
            _ => Answer::NoSession,
        }
    }
}

impl Object for World {
    type Op = Step;
    type Answer = Answer;

    fn after(&self, step: &Step, answer: Option<&Answer>) -> Vec<Self> {
        let mut next = self.clone();
        match next.apply(step) {
            Some(right) if answer.is_none_or(|answer| *answer == right) => vec![next],
            Some(_) | None => Vec::new(),
        }
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    fn is_read(step: &Step) -> bool {
        matches!(step.what, What::WhoAmI | What::List)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linear::{Call, Verdict, check};

    /// A request: its steps, what it was answered, and its moments.
    fn ask(steps: &[What], answer: &Answer, called: u64, returned: u64) -> Vec<Call<World>> {
        let steps = steps.iter().cloned().enumerate();
        let last = steps.len() - 1;
        let calls = steps.map(|(at, what)| Call {
            client: 1,
            op: Step {
                request: called,
                what,
            },
            answer: (at == last).then(|| answer.clone()),
            called: called + at as u64,
            returned: Some(returned),
            after: None,
        });
        calls.collect()
    }

    fn token() -> Option<Token> {
        Some("t".into())
    }

    fn login() -> Vec<Call<World>> {
        let new = Some(("s".into(), "t".into()));
        let steps = [
            What::Arrive("ann".into()),
            What::Find(None),
            What::Begin("ann".into(), new),
        ];
        ask(&steps, &Answer::Done, 0, 10)
    }

    #[test]
    fn what_is_explained() {
        use Verdict::{Explained, Unexplained};
        let me = |answer, called, returned| {
            ask(
                &[What::Load(token()), What::WhoAmI],
                &answer,
                called,
                returned,
            )
        };
        let session = || Answer::Session("s".into(), "ann".into());
        let logout_at = |called, returned| {
            let steps = [What::Find(token()), What::Logout];
            ask(&steps, &Answer::Done, called, returned)
        };
        let logout = || logout_at(20, 30);
        let renew = || {
            let steps = [What::Load(token()), What::Renew(token(), Some("u".into()))];
            ask(&steps, &Answer::Done, 20, 30)
        };
        let cases = [
            ("live is let in", vec![me(session(), 40, 50)], Explained),
            (
                "live is refused",
                vec![me(Answer::NoSession, 40, 50)],
                Unexplained,
            ),
            (
                "revoked is refused",
                vec![logout(), me(Answer::NoSession, 40, 50)],
                Explained,
            ),
            (
                "revoked is let in",
                vec![logout(), me(session(), 40, 50)],
                Unexplained,
            ),
            (
                "let in at once with the logout",
                vec![logout(), me(session(), 25, 50)],
                Explained,
            ),
            (
                "refused at once with it",
                vec![logout(), me(Answer::NoSession, 15, 50)],
                Explained,
            ),
            (
                "renewed is let in",
                vec![renew(), me(session(), 40, 50)],
                Unexplained,
            ),
            (
                "renewed may end the session",
                vec![renew(), logout_at(40, 50), me(Answer::NoSession, 60, 70)],
                Explained,
            ),
        ];
        for (name, requests, verdict) in cases {
            let calls: Vec<_> = login().into_iter().chain(requests.concat()).collect();
            assert_eq!(check(&World::default(), &calls, 10_000), verdict, "{name}");
        }
    }
}
