//! Who may use the endpoints for administrators.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::answer::Failure;
use super::refused::Refused;
use crate::CurrentSession;

/// What a guard of [`AdminEndpoints`](super::AdminEndpoints) says of a session: `bool`, or
/// `Result<bool, E>` of a guard that can fail. Only `true` and `Ok(true)` let a request in.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say who is an administrator",
    note = "let the guard return `bool`, or `Result<bool, E>` if it can fail"
)]
pub trait Verdict: sealed::Sealed {
    /// Says whether the request may go on, or what failed, for the log.
    ///
    /// # Errors
    ///
    /// What the guard failed with.
    fn admits(self) -> Result<bool, Box<dyn Error + Send + Sync>>;
}

impl Verdict for bool {
    fn admits(self) -> Result<bool, Box<dyn Error + Send + Sync>> {
        Ok(self)
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> Verdict for Result<bool, E> {
    fn admits(self) -> Result<bool, Box<dyn Error + Send + Sync>> {
        self.map_err(Into::into)
    }
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for bool {}

    impl<E> Sealed for Result<bool, E> {}
}

type Answer = Pin<Box<dyn Future<Output = Result<bool, Box<dyn Error + Send + Sync>>> + Send>>;

/// A guard whose type is forgotten.
#[derive(Clone)]
pub(super) struct Guard {
    ask: Arc<dyn Fn(CurrentSession) -> Answer + Send + Sync>,
    refused: Arc<Refused>,
}

impl Guard {
    pub(super) fn new<G, F>(guard: G) -> Self
    where
        G: Fn(CurrentSession) -> F + Send + Sync + 'static,
        F: Future<Output: Verdict> + Send + 'static,
    {
        Self {
            ask: Arc::new(move |session| {
                let verdict = guard(session);
                Box::pin(async { verdict.await.admits() })
            }),
            refused: Arc::default(),
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

/// Lets a request on only if it has a session and the guard says yes.
pub(super) async fn check(
    State(guard): State<Guard>,
    session: CurrentSession,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let id = session.id;
    let method = request.method();
    match (guard.ask)(session).await {
        Ok(true) => {
            tracing::info!(target: "sessionup", %id, %method, "administrator let in");
            Ok(next.run(request).await)
        }
        Ok(false) => {
            // Any user can cause this at will.
            if let Some(requests) = guard.refused.count(id) {
                tracing::warn!(target: "sessionup", %id, requests, "administration refused");
            }
            Err(Failure::Forbidden)
        }
        Err(error) => {
            tracing::error!(target: "sessionup", %id, %error, "guard of administration failed");
            Err(Failure::Unavailable)
        }
    }
}
