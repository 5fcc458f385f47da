//! The tower layers: [`public`](SessionLayers::public) and [`auth`](SessionLayers::auth) for
//! sessions, and [`SameOriginLayer`] against cross-site requests, whose rules are in
//! [`same_origin`].
//!
//! The first two give the request a [`Sessions`](crate::Sessions) handle and see to the cookie of the
//! response. What they decide:
//!
//! 1. `public` runs the handler always. The store is asked when the handler asks.
//! 2. `auth` asks the store first. A live session: the handler runs.
//! 3. `auth`, no live session: 401, the handler does not run. Which reason it was goes to the log,
//!    not to the client.
//! 4. `auth`, the store cannot be asked: 503 with `Retry-After`, the handler does not run, and the
//!    cookie is left alone. An outage is not a logout.
//! 5. `auth().fresh_within(…)`, a session whose user proved who they are longer ago: 403, the handler
//!    does not run.
//! 6. Every response has `Vary: Cookie`, for it may depend on the cookie.
//! 7. If a handler logs in, renews or logs out, one `Set-Cookie` is sent: that of the last of these
//!    actions. The response then has `Cache-Control: no-store` in place of any other.
//! 8. Nothing else touches the cookie. A dead token is not cleared: the response to a request that
//!    was under way during a login would take the new cookie away.
//! 9. With axum's `route_layer`, `auth` answers before the method is looked at: who has no session
//!    gets 401 also for a method that the route does not know.
//! 10. Layers of one manager inside each other share one handle, and the outermost sees to the
//!     cookie. Do not put layers of two managers around one route: the handler gets the handle of the
//!     inner one, which has a line at level WARN. [`SessionLayers::handle`] makes the other one.
//! 11. The body of a rejection need not be of the type of the service's: responses have
//!     [`Either`] of both. So the layers can stand anywhere in a `ServiceBuilder`, also outside layers
//!     for compression or tracing.
//!
//! The address of the client is that of the socket. axum tells it if the server is started with
//! `into_make_service_with_connect_info::<SocketAddr>()`; other servers put a
//! [`PeerAddr`] into the request's extensions. Without either it is unknown.

mod future;
pub(crate) mod headers;
#[expect(
    clippy::module_inception,
    reason = "the rooms that tower's middleware have"
)]
mod layer;
pub(crate) mod occurrences;
mod reject;
mod request;
pub mod same_origin;
mod service;

pub use future::{AuthFuture, PublicFuture};
pub use http_body_util::Either;
pub use layer::{AuthLayer, PublicLayer, SessionLayers};
pub use reject::{DefaultReject, Reject, Rejection};
pub(crate) use reject::{
    INTERNAL, NOT_FRESH, OVERTAKEN, TOO_MANY, UNAUTHORIZED, UNAVAILABLE, json_error,
};
pub use request::PeerAddr;
pub use same_origin::{InvalidOrigin, SameOrigin, SameOriginLayer};
pub use service::{Auth, Public};
