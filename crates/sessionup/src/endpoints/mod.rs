//! Routers to mount: users see and revoke their sessions, administrators those of anybody.
//!
//! [`UserEndpoints`] is for users and [`AdminEndpoints`] for administrators. Each is made of a
//! [`Manager`](crate::Manager) and nested under any path.
//!
//! ```
//! use axum::Router;
//! use sessionup::{Manager, MemoryStore, endpoints::UserEndpoints};
//!
//! let sessions = Manager::builder(MemoryStore::new()).build()?;
//! let app: Router = Router::new().nest("/sessions", UserEndpoints::new(&sessions).router());
//! # Ok::<(), sessionup::ConfigError>(())
//! ```
//!
//! | For users | | |
//! |---|---|---|
//! | `GET /sessions?after=ID&limit=N` | a page of their live sessions, oldest first | 200 `[…]` |
//! | `DELETE /sessions/{id}` | revoke one of their own | 204, 404 |
//! | `POST /sessions/revoke-other` | revoke all but this one | 200 `{"revoked":2}` |
//! | `POST /sessions/revoke-all` | revoke all | 200 `{"revoked":3}` |
//! | `POST /sessions/logout` | revoke this one | 204 |
//!
//! | For administrators | | |
//! |---|---|---|
//! | `GET /admin/sessions?user_key=ann&after=ID&limit=N` | a page of a user's live sessions | 200 `[…]` |
//! | `POST /admin/sessions/revoke-all?user_key=ann` | revoke them | 200 `{"revoked":3}` |
//! | `DELETE /admin/sessions/{id}` | revoke anybody's | 204, 404 |
//!
//! What holds for all of them:
//!
//! 1. They bring their own layers: session, [cross-site check](crate::SameOriginLayer),
//!    `Cache-Control: no-store` and `Vary: Cookie`. Nothing more is needed around them, and layers of
//!    the same manager further out do no harm.
//! 2. Bodies are JSON. An error is `{"error":"…"}` with a fixed text: 400 `bad request`, 401
//!    `unauthorized`, 403 `cross-site request` or `forbidden`, 404 `not found`, 405
//!    `method not allowed`, 503 `service unavailable` with `Retry-After`.
//! 3. 401 means that there is no live session, 503 that the store cannot be asked; then nobody was
//!    logged out and nothing is reported as done.
//! 4. Another user's session, one that does not exist and what is no id at all are answered alike,
//!    with 404.
//! 5. Nothing that is sent tells a token.
//! 6. Lists come in pages of at most `limit` sessions, from 1 to 1,000, by default 100, in the order of
//!    their ids. If more follow, the response has `Link: <?after=…&limit=…>; rel="next"` (RFC 8288),
//!    relative to the address of the request; a page may be short, or empty, although more follow.
//!    Both parameters may be left out.
//!
//! A handler of your own that takes an id as `Path<SessionId>` answers a malformed id with 400 and a
//! text of axum's. Take `Path<String>` and answer as for an unknown session, with 404, if `parse` fails.
//!
//! Nest the routers (`nest`), rather than merging them: they answer unknown paths themselves. To axum,
//! `/sessions/` with a slash at its end is another path, and left to the application.

mod admin;
mod answer;
mod guard;
#[cfg(feature = "openapi")]
mod openapi;
mod path;
mod query;
mod refused;
mod user;

pub use admin::AdminEndpoints;
pub use guard::Verdict;
pub use user::UserEndpoints;
