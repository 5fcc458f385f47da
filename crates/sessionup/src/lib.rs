//! Server-side HTTP sessions that users can see and revoke.
//!
//! Logins that survive a restart, a "your devices" page, "log out everywhere else", and no server
//! to run. This crate is what an application depends on: tower [layers](layer) and axum extractors
//! over the rules of `sessionup-core`, all of whose names are here too. `sessionup-redb` keeps the
//! sessions in one file.
//!
//! ```
//! use axum::{Json, Router, response::Redirect, routing::{get, post}};
//! use sessionup::{HttpError, ListedSession, Manager, MemoryStore, SessionLayers, Sessions};
//!
//! async fn login(sessions: Sessions) -> Result<Redirect, HttpError> {
//!     // The password was checked; the cookie goes out with the response.
//!     sessions.init("ann").await?;
//!     Ok(Redirect::to("/devices"))
//! }
//!
//! async fn devices(sessions: Sessions) -> Result<Json<Vec<ListedSession>>, HttpError> {
//!     Ok(Json(sessions.list().await?))
//! }
//!
//! async fn logout(sessions: Sessions) -> Result<Redirect, HttpError> {
//!     sessions.revoke().await?;
//!     Ok(Redirect::to("/"))
//! }
//!
//! let sessions = Manager::builder(MemoryStore::new()).build()?;
//! let app: Router = Router::new()
//!     .route("/devices", get(devices))
//!     .route_layer(sessions.auth())
//!     .route("/login", post(login))
//!     .route("/logout", post(logout))
//!     .layer(sessions.public());
//! # Ok::<(), sessionup::ConfigError>(())
//! ```
//!
//! # Where to find what
//!
//! - **Start here**: [`Manager`] and [`ManagerBuilder`], the settings; [`SessionLayers`], which makes
//!   [`PublicLayer`] and [`AuthLayer`]; [`MemoryStore`].
//! - **A request**: [`Sessions`], the handle with all actions; [`CurrentSession`], the session as an
//!   argument of a handler; [`Init`], a login; [`Session`] and [`ListedSession`], what they hold;
//!   [`HttpError`], what handlers return; [`Error`], what actions return; [`SameOriginLayer`] and
//!   [`ClearSiteData`]; [`endpoints`], routers to mount.
//! - **Settings**: [`SameSite`], [`Kind`], [`SessionLimit`], [`OnMismatch`], [`OnReuse`],
//!   [`TrustedProxies`], [`Clock`].
//! - **Events**: [`Manager::events`], [`Event`], [`RevokedBy`], [`Refusal`].
//! - **For authors of stores and middleware**: [`Store`] with its requests in [`store`], [`Record`],
//!   [`Cleanup`], [`SetCookie`], [`Peer`].
//!
//! # Features
//!
//! | Feature | Description | Default |
//! |---|---|---|
//! | `axum` | extractors, `IntoResponse` of errors, the peer's address from `ConnectInfo` | yes |
//! | `endpoints` | [routers to mount](endpoints): list, revoke and log out, for users and administrators | no |
//! | `openapi` | the OpenAPI description of these routers | no |
//! | `test-util` | `ManualClock`, a clock that tests set by hand | no |
//! | `ua-parser` | `UaParser`, agents by the regular expressions of uap-core | no |

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

mod clear_site_data;
#[cfg(feature = "endpoints")]
pub mod endpoints;
#[cfg(feature = "axum")]
pub mod extract;
mod http_error;
pub mod layer;
mod sessions;
#[cfg(feature = "ua-parser")]
mod ua_parser;

/// What [`Sessions`] and [`CurrentSession`] dereference to:
/// the handles of the core, which know no HTTP framework.
pub mod handle {
    #[doc(inline)]
    pub use sessionup_core::{CurrentSession, Sessions};
}

pub use clear_site_data::ClearSiteData;
pub use http_error::HttpError;
#[doc(inline)]
pub use layer::{
    AuthLayer, PeerAddr, PublicLayer, Reject, Rejection, SameOriginLayer, SessionLayers,
};
pub use sessions::{CurrentSession, Sessions};
// Start here.
#[doc(inline)]
pub use sessionup_core::{ConfigError, Manager, ManagerBuilder, MemoryStore};
// A request. `Sessions` and `CurrentSession` are those of this crate.
#[doc(inline)]
pub use sessionup_core::{
    Agent, Client, DeviceKind, Error, Init, IntoUserKey, InvalidSessionId, InvalidUserKey,
    ListedSession, Meta, MetaChange, MetaError, MetaIter, Session, SessionId, SessionPage,
    Timestamp, UserKey,
};
// Settings.
#[cfg(feature = "test-util")]
#[doc(inline)]
pub use sessionup_core::ManualClock;
#[doc(inline)]
pub use sessionup_core::{
    Clock, CookieError, ForwardingHeader, InvalidKind, Kind, LimitPolicy, OnMismatch, OnReuse,
    OsRandom, Random, RandomError, SameSite, SessionLimit, SingleHeader, SystemClock,
    TrustedProxies, TrustedProxiesError,
};
// Events.
#[doc(inline)]
pub use sessionup_core::{Event, Events, Mismatch, Refusal, RevokedBy};
// For authors of stores and middleware.
#[doc(inline)]
pub use sessionup_core::{
    Change, Cleanup, CleanupErrors, CleanupOptions, CleanupStartError, CreateOptions, Created,
    Credential, DynStore, Epoch, ListOptions, OthersDeleted, Peer, Pruned, Record, RecordPage,
    Replaced, SecretHash, SetCookie, SharedState, Store, StoreError, StoreExt, Token, UserDeleted,
    Watermark, client, cookie, lifetime, store,
};
#[cfg(feature = "ua-parser")]
pub use ua_parser::{UaParser, UaParserError};

/// Compiles and runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
