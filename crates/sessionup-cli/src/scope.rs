//! Which sessions are meant: those of a user or of all, and which of these.

use sessionup_core::{Session, Timestamp, UserKey};

use crate::args::Filter;
use crate::failure::Failure;

/// Sessions of one user or of all that pass a filter.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    /// `None` for all users.
    pub(crate) user: Option<UserKey>,
    filter: &'a Filter,
    /// In lower case.
    agent: Option<String>,
    now: Timestamp,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(
        user: Option<&str>,
        filter: &'a Filter,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let user = user.map(|text| {
            let wrong = |error| Failure::Usage(format!("that is no user: {error}"));
            UserKey::new(text).map_err(wrong)
        });
        if filter.limit == Some(0) {
            return Err(Failure::Usage("--limit is at least 1".into()));
        }
        Ok(Self {
            user: user.transpose()?,
            filter,
            agent: filter.agent.as_ref().map(|text| text.to_lowercase()),
            now,
        })
    }

    /// Says whether all sessions pass.
    pub(crate) fn is_whole(&self) -> bool {
        let Filter {
            ip,
            agent,
            older_than,
            kind,
            limit,
        } = self.filter;
        let is_any = ip.is_none() && agent.is_none() && older_than.is_none() && kind.is_none();
        is_any && limit.is_none()
    }

    /// Returns how many sessions are wanted at most.
    pub(crate) fn limit(&self) -> usize {
        let limit = self.filter.limit.unwrap_or(u64::MAX);
        usize::try_from(limit).unwrap_or(usize::MAX)
    }

    pub(crate) fn has(&self, session: &Session) -> bool {
        let client = &session.client;
        let is_from = self.filter.ip.is_none_or(|network| {
            let ip = client.ip.map(|ip| ip.to_canonical());
            ip.is_some_and(|ip| network.contains(&ip))
        });
        let is_by = self.agent.as_ref().is_none_or(|text| {
            let agent = client.agent.to_string().to_lowercase();
            agent.contains(text)
        });
        let is_older = self
            .filter
            .older_than
            .is_none_or(|age| self.now.saturating_since(session.created_at) > age);
        let is_kind = self.filter.kind.as_ref();
        let is_kind = is_kind.is_none_or(|kind| *kind == session.kind);
        is_from && is_by && is_older && is_kind
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sessionup_core::{Agent, Client, Kind, SessionId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_372_745_981);

    fn filter() -> Filter {
        Filter {
            ip: None,
            agent: None,
            older_than: None,
            kind: None,
            limit: None,
        }
    }

    #[test]
    fn filters_take_what_they_name() {
        let user = UserKey::new("ann").unwrap();
        let hour = Duration::from_secs(3_600);
        let id = SessionId::from_bytes([1; 16]);
        let mut session = Session::new(id, user, NOW.saturating_sub(hour), NOW);
        let mut agent = Agent::new("Linux", "Firefox");
        agent.version = Some(140);
        session.client = Client::new("192.0.2.17".parse().ok(), agent);
        let ip = |text: &str| Filter {
            ip: Some(text.parse().unwrap()),
            ..filter()
        };
        let agent = |text: &str| Filter {
            agent: Some(text.into()),
            ..filter()
        };
        let older = |age| Filter {
            older_than: Some(age),
            ..filter()
        };
        let kind = |kind| Filter {
            kind: Some(kind),
            ..filter()
        };
        let cases = [
            (filter(), true),
            (ip("192.0.2.0/24"), true),
            (ip("192.0.2.17/32"), true),
            (ip("192.0.3.0/24"), false),
            (ip("::/0"), false),
            (agent("FIREFOX 14"), true),
            (agent("on linux"), true),
            (agent("chrome"), false),
            (older(hour - Duration::from_secs(1)), true),
            (older(hour), false),
            (kind(Kind::USER), true),
            (kind(Kind::GUEST), false),
        ];
        for (filter, expected) in cases {
            let scope = Scope::new(None, &filter, NOW).unwrap();
            assert_eq!(scope.has(&session), expected, "{filter:?}");
        }
        session.client.ip = "::ffff:192.0.2.17".parse().ok();
        let mapped = ip("192.0.2.17/32");
        assert!(Scope::new(None, &mapped, NOW).unwrap().has(&session));
        session.client.ip = None;
        assert!(!Scope::new(None, &mapped, NOW).unwrap().has(&session));
    }
}
