//! Server-side HTTP sessions that users can see and revoke.
//!
//! Logins that survive a restart, a "your devices" page, "log out everywhere else", and no server
//! to run. This crate is what an application depends on: tower [layers](layer) and axum extractors
//! over the rules of [`sessionup_core`], which is re-exported here. `sessionup-redb` keeps the
//! sessions in one file.
//!
//! ```
//! use axum::{Json, Router, response::Redirect, routing::{get, post}};
//! use sessionup::{HttpError, ListedSession, Manager, MemoryStore, SessionLayers, Sessions};
//!
//! async fn login(sessions: Sessions) -> Result<Redirect, HttpError> {
//!     // The password was checked; the cookie goes out with the response.
//!     sessions.init("ann").meta("permission", "write").await?;
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
//!     .route("/logout", post(logout))
//!     .route_layer(sessions.auth())
//!     .route("/login", post(login))
//!     .layer(sessions.public());
//! # Ok::<(), sessionup::ConfigError>(())
//! ```
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

pub use clear_site_data::ClearSiteData;
pub use http_error::HttpError;
#[doc(inline)]
pub use layer::{
    AuthLayer, PeerAddr, PublicLayer, Reject, Rejection, SameOriginLayer, SessionLayers,
};
pub use sessions::{CurrentSession, Sessions};
#[doc(no_inline)]
pub use sessionup_core::*;
#[cfg(feature = "ua-parser")]
pub use ua_parser::{UaParser, UaParserError};

/// Compiles and runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
