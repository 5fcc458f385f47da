//! Server-side HTTP sessions that users can see and revoke: values, rules and the store contract.
//!
//! Nothing here knows an HTTP framework or a database. Applications depend on `sessionup`, which
//! adds layers and extractors and re-exports this crate; authors of stores depend on this crate and
//! on `sessionup-conformance`.
//!
//! - [`Manager`] has the rules, [`Sessions`] is the handle of one request.
//! - [`Store`] is what a store promises, [`MemoryStore`] its reference reading; `examples/store.rs` is
//!   a store to begin your own with.
//! - [`Manager::events`] tells what happens to sessions; `examples/audit.rs` makes an audit log of it.
//! - [`Cleanup`] deletes expired records of any store in the background.
//!
//! # What is kept of a token
//!
//! A cookie holds a [`Token`]: an id and a secret. A store is given the id and a hash of the secret
//! ([`Credential`]), so a stolen database, backup or list of devices logs nobody in.
//!
//! # Features
//!
//! | Feature | Description | Default |
//! |---|---|---|
//! | `test-util` | `ManualClock`, a clock that tests set by hand | no |

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

/// Says whether a defect is seeded, see `defects`. It is not, and costs nothing, in an ordinary build.
#[cfg(not(sessionup_defects))]
#[doc(hidden)]
#[macro_export]
macro_rules! is_seeded {
    ($defect:ident) => {
        false
    };
}

/// Says whether a defect is seeded.
#[cfg(sessionup_defects)]
#[doc(hidden)]
#[macro_export]
macro_rules! is_seeded {
    ($defect:ident) => {
        $crate::defects::seeded() == Some($crate::defects::Defect::$defect)
    };
}

mod agent;
mod cleanup;
pub mod client;
pub mod cookie;
#[cfg(sessionup_defects)]
pub mod defects;
mod error;
mod events;
mod feed;
mod id;
mod kind;
pub mod lifetime;
mod manager;
mod memory;
mod meta;
mod patience;
mod proof;
mod proxies;
mod random;
mod refusal;
#[cfg(test)]
#[cfg(sessionup_schedules)]
mod schedules;
mod session;
mod sessions;
pub mod store;
mod sync;
mod time;
mod token;
mod user_key;
mod watermark;

#[doc(inline)]
pub use agent::{Agent, DeviceKind};
pub use cleanup::{Cleanup, CleanupErrors, CleanupOptions, CleanupStartError};
#[doc(inline)]
pub use client::{Client, Mismatch};
#[doc(inline)]
pub use cookie::{CookieError, SameSite, SetCookie};
pub use error::Error;
pub use events::{Event, Events, RevokedBy};
pub use id::{InvalidSessionId, SessionId};
pub use kind::{InvalidKind, Kind};
pub use manager::{ConfigError, Manager, ManagerBuilder, OnMismatch, OnReuse, Peer};
pub use memory::MemoryStore;
pub use meta::{Iter as MetaIter, Meta, MetaChange, MetaError};
pub use proxies::{ForwardingHeader, SingleHeader, TrustedProxies, TrustedProxiesError};
pub use random::{OsRandom, Random, RandomError};
pub use refusal::Refusal;
pub use session::{ListedSession, Record, Replaced, Session, SessionPage};
pub use sessions::{CurrentSession, Init, Sessions};
#[doc(inline)]
pub use store::{
    Change, CreateOptions, Created, DynStore, Epoch, LimitPolicy, ListOptions, OthersDeleted,
    Pruned, RecordPage, SessionLimit, SharedState, Store, StoreError, StoreExt, UserDeleted,
    Watermark,
};
#[cfg(any(test, feature = "test-util"))]
pub use time::ManualClock;
pub use time::{Clock, SystemClock, Timestamp};
pub use token::{Credential, SecretHash, Token};
pub use user_key::{IntoUserKey, InvalidUserKey, UserKey};
