//! The lines between the program that compares and a subject's process.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a subject is asked to do, a line of JSON each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "both ends are built together")]
pub enum Request {
    /// Open the store, and tell how long it took.
    Open,
    /// Close it cleanly, and tell how long it took.
    Close,
    /// Have so many sessions, a fifth of them expired.
    Fill {
        /// How many.
        sessions: u64,
    },
    /// Say that so many sessions are there, from an earlier process.
    Assume {
        /// How many.
        sessions: u64,
        /// The number of the next that is created.
        next: u64,
    },
    /// Create so many sessions by so many callers at once.
    Create {
        /// Callers at once.
        callers: u64,
        /// How many, all callers together.
        count: u64,
    },
    /// Fetch so many sessions.
    Fetch {
        /// Callers at once.
        callers: u64,
        /// How many, all callers together.
        count: u64,
        /// Which.
        among: Among,
    },
    /// List the sessions of so many users.
    List {
        /// Callers at once.
        callers: u64,
        /// How many, all callers together.
        count: u64,
    },
    /// End so many of the sessions that were created.
    Delete {
        /// Callers at once.
        callers: u64,
        /// How many, all callers together.
        count: u64,
    },
    /// End all sessions of so many users, who have ten each and nobody else does.
    DeleteUser {
        /// Callers at once.
        callers: u64,
        /// How many, all callers together.
        count: u64,
    },
    /// Delete what is expired while one caller creates sessions, and tell how that caller fared.
    Prune,
    /// Create sessions before and while one large account is listed or revoked, and tell the rate and the
    /// waits of these creates.
    Crowd {
        /// Operation on that account.
        act: Crowded,
        /// Number of its sessions.
        sessions: u64,
        /// Callers who create at once.
        callers: u64,
        /// Fewest sessions that all callers together create.
        count: u64,
    },
    /// Tell of memory, and of the files' size.
    Size,
    /// Serve HTTP, and tell the port and cookies of so many sessions.
    Serve {
        /// How many cookies.
        cookies: u64,
    },
}

/// Operation on an account with very many sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "both ends are built together")]
pub enum Crowded {
    /// Its sessions are listed again and again.
    Listed,
    /// Its sessions are revoked.
    Revoked,
}

/// Which sessions are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "both ends are built together")]
pub enum Among {
    /// Live ones among ten thousand that are in use.
    InUse,
    /// Live ones of all that there are.
    All,
    /// None that there is.
    Missing,
}

/// What a subject answers, a line of JSON each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "both ends are built together")]
pub enum Reply {
    /// It did what was asked.
    Done(Figures),
    /// It has no such thing.
    Cannot,
    /// It serves HTTP.
    Serves {
        /// At which port of the loopback interface.
        port: u16,
        /// `Cookie` fields to ask with.
        cookies: Vec<String>,
    },
    /// It failed, and why.
    Failed(String),
}

/// Figures by name. The names say their units:
///
/// - `ns`: nanoseconds an operation, of all callers together; `p50`, `p99`, `max`: microseconds
///   that a caller waited
/// - `commits`, `written`: an operation, in bytes
/// - `usual-ns`: as `ns`, before anything else was asked for meanwhile
/// - `ms`: milliseconds of the whole
/// - `resident`, `file`: bytes; `servers`: processes beside its own
pub type Figures = BTreeMap<String, f64>;
