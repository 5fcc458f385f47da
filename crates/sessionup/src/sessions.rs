//! The handles that handlers are given.

use std::ops::Deref;

use http::HeaderMap;

use crate::layer::headers;

/// The handle of one request: who is logged in, and every action a handler may take.
///
/// An axum handler takes it as an argument; any tower service finds it in the request's extensions.
/// Its methods are those of [`sessionup_core::Sessions`].
///
/// ```
/// use axum::Json;
/// use sessionup::{HttpError, ListedSession, Sessions};
///
/// async fn devices(sessions: Sessions) -> Result<Json<Vec<ListedSession>>, HttpError> {
///     Ok(Json(sessions.list().await?))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Sessions(sessionup_core::Sessions);

impl Sessions {
    /// Puts on a response what follows from the actions of this handle: `Vary: Cookie`, and if the
    /// cookie changed, the one `Set-Cookie` and `Cache-Control: no-store`.
    ///
    /// The layers do this. Call it for a handle that was made by
    /// [`SessionLayers::handle`](crate::SessionLayers::handle), after its last action. In axum a handle
    /// is a part of a response and does the same.
    pub fn finish(&self, response: &mut HeaderMap) {
        let name = self.manager().cookie_name();
        headers::finish(response, name, self.response_cookie());
    }
}

#[cfg(feature = "axum")]
impl axum::response::IntoResponseParts for Sessions {
    type Error = std::convert::Infallible;

    fn into_response_parts(
        self,
        mut response: axum::response::ResponseParts,
    ) -> Result<axum::response::ResponseParts, Self::Error> {
        self.finish(response.headers_mut());
        Ok(response)
    }
}

impl From<sessionup_core::Sessions> for Sessions {
    fn from(sessions: sessionup_core::Sessions) -> Self {
        Self(sessions)
    }
}

impl Deref for Sessions {
    type Target = sessionup_core::Sessions;

    fn deref(&self) -> &sessionup_core::Sessions {
        &self.0
    }
}

/// The session of a request, for handlers that need one.
///
/// As an argument of an axum handler it refuses requests without a session with 401, and with 503
/// if the store cannot be asked; `Option<CurrentSession>` lets those without a session in. Its
/// fields are those of [`Session`](crate::Session).
///
/// ```
/// use sessionup::CurrentSession;
///
/// async fn home(session: Option<CurrentSession>) -> String {
///     match session {
///         Some(session) => format!("Hello, {}", session.user_key),
///         None => "Hello, stranger".into(),
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct CurrentSession(sessionup_core::CurrentSession);

impl From<sessionup_core::CurrentSession> for CurrentSession {
    fn from(session: sessionup_core::CurrentSession) -> Self {
        Self(session)
    }
}

impl Deref for CurrentSession {
    type Target = sessionup_core::Session;

    fn deref(&self) -> &sessionup_core::Session {
        &self.0
    }
}
