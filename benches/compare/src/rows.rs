//! What is measured.

use serde::{Deserialize, Serialize};
use subject::{Among, Request};

/// A row of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Row {
    FetchInUse,
    FetchInUse64,
    FetchAll,
    FetchAll64,
    FetchMissing,
    List,
    Create1,
    Create64,
    Create512,
    Delete64,
    DeleteUser64,
    Prune,
    /// Logins while one account with very many sessions is listed.
    CrowdListed,
    /// Logins while one account with very many sessions is revoked.
    CrowdRevoked,
    Fill,
    Size,
    Closed,
    Open,
    OpenKilled,
    Http,
}

/// Those that are measured each round, in the order in which they are.
pub(crate) const REPEATED: [Row; 11] = [
    Row::FetchInUse,
    Row::FetchInUse64,
    Row::FetchAll,
    Row::FetchAll64,
    Row::FetchMissing,
    Row::List,
    Row::Create1,
    Row::Create64,
    Row::Create512,
    Row::Delete64,
    Row::DeleteUser64,
];

impl Row {
    /// What it says at the head of a row.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::FetchInUse => "fetch, 10,000 in use",
            Self::FetchInUse64 => "fetch, 10,000 in use, 64 callers",
            Self::FetchAll => "fetch, any",
            Self::FetchAll64 => "fetch, any, 64 callers",
            Self::FetchMissing => "fetch, none there",
            Self::List => "list a user's ten",
            Self::Create1 => "create",
            Self::Create64 => "create, 64 callers",
            Self::Create512 => "create, 512 callers",
            Self::Delete64 => "delete, 64 callers",
            Self::DeleteUser64 => "delete a user's ten, 64 callers",
            Self::Prune => "prune a fifth",
            Self::CrowdListed => "create, 64 callers, while a crowd is listed",
            Self::CrowdRevoked => "create, 64 callers, while a crowd is revoked",
            Self::Fill => "fill",
            Self::Size => "size",
            Self::Closed => "size when closed",
            Self::Open => "open after a clean close",
            Self::OpenKilled => "open after kill -9",
            Self::Http => "GET / over HTTP, 64 connections",
        }
    }

    pub(crate) fn callers(self) -> u64 {
        match self {
            Self::FetchInUse64 | Self::FetchAll64 | Self::Create64 => 64,
            Self::Delete64 | Self::DeleteUser64 | Self::CrowdListed | Self::CrowdRevoked => 64,
            Self::Create512 => 512,
            _ => 1,
        }
    }

    /// The most operations of a round, so that there are about as many sessions as it says.
    pub(crate) fn most(self, sessions: u64) -> u64 {
        match self {
            Self::Create1 | Self::Create64 | Self::Create512 => (sessions / 10).max(2_048),
            Self::DeleteUser64 => (sessions / 100).max(256),
            _ => 2_000_000,
        }
    }

    pub(crate) fn request(self, count: u64) -> Option<Request> {
        let callers = self.callers();
        let fetch = |among| Request::Fetch {
            callers,
            count,
            among,
        };
        Some(match self {
            Self::FetchInUse | Self::FetchInUse64 => fetch(Among::InUse),
            Self::FetchAll | Self::FetchAll64 => fetch(Among::All),
            Self::FetchMissing => fetch(Among::Missing),
            Self::List => Request::List { callers, count },
            Self::Create1 | Self::Create64 | Self::Create512 => Request::Create { callers, count },
            Self::Delete64 => Request::Delete { callers, count },
            Self::DeleteUser64 => Request::DeleteUser { callers, count },
            _ => return None,
        })
    }
}
