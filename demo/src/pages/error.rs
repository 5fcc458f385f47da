//! What a user is told when something goes wrong.

use std::error::Error;
use std::time::Duration;

use axum::extract::rejection::FormRejection;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use sessionup::{HttpError, Refusal, Rejection};
use tokio::task::JoinError;

use crate::accounts::AccountsError;
use crate::hashing::Busy;
use crate::pages::login::{LOGGED_IN, NOT_KEPT};
use crate::pages::{Viewer, confirm, page, wants_json};
use crate::passwords::HashingFailed;

/// Why a page cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error("form could not be read")]
    Form(#[from] FormRejection),
    #[error(transparent)]
    Hashing(#[from] HashingFailed),
    #[error("no such method here")]
    MethodNotAllowed,
    #[error("no such page")]
    NotFound,
    #[error(transparent)]
    Sessions(#[from] sessionup::Error),
    #[error("task failed")]
    Task(#[from] JoinError),
    #[error("form is too long")]
    TooLong,
    #[error("password was tried too often")]
    TooManyTries {
        /// How long until it may be tried again.
        wait: Duration,
    },
}

impl PageError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Accounts(_) | Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Form(rejection) => rejection.status(),
            Self::Hashing(_) | Self::Task(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Sessions(error) => HttpError::status_of(error),
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManyTries { .. } => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// Says in how many seconds it makes sense to try again.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooManyTries { wait } => Some(wait.as_secs().saturating_add(1)),
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => Some(1),
            _ => None,
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        match &self {
            // Another request ended the session meanwhile.
            Self::Sessions(sessionup::Error::NoSession) => {
                return Redirect::to("/login").into_response();
            }
            Self::Accounts(_) | Self::Hashing(_) | Self::Task(_) => {
                tracing::error!(error = %self, cause = self.source(), "page failed");
            }
            // The library has logged what is the matter with its store.
            Self::Busy(_)
            | Self::Form(_)
            | Self::MethodNotAllowed
            | Self::NotFound
            | Self::Sessions(_)
            | Self::TooLong
            | Self::TooManyTries { .. } => {}
        }
        error_page(self.status(), self.retry_after())
    }
}

/// Answers a request that a layer let not through: with the login form, with a form that asks for the
/// password, with a page that says why, or with JSON if that was asked for. Whose session cannot be told
/// is not sent to the login form; they may well be logged in.
pub(crate) fn reject(rejection: &Rejection, request: &Parts) -> Response {
    if wants_json(&request.headers) {
        return rejection.to_response();
    }
    match rejection {
        Rejection::NotFresh => confirm::ask(),
        Rejection::Unauthenticated(Refusal::Absent) if request.uri == LOGGED_IN => {
            Redirect::to(NOT_KEPT).into_response()
        }
        Rejection::Unauthenticated(_) => Redirect::to("/login").into_response(),
        Rejection::Unavailable(_) => error_page(rejection.status(), Some(1)),
        _ => error_page(rejection.status(), None),
    }
}

fn error_page(status: StatusCode, retry_after: Option<u64>) -> Response {
    let (title, text) = words(status);
    let content = html! {
        p { (text) }
        p { a.button.plain href="/" { "To the start page" } }
    };
    let mut response = (status, page(title, Viewer::Anybody, &content)).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn words(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::FORBIDDEN => (
            "Not from here",
            "This request came from another site. If it was you, please use the form on our page.",
        ),
        StatusCode::CONFLICT => (
            "Please log in again",
            "All your devices were logged out while you logged in.",
        ),
        StatusCode::NOT_FOUND => (
            "Not found",
            "There is nothing here. It may have been here until a moment ago.",
        ),
        StatusCode::METHOD_NOT_ALLOWED => (
            "Not like this",
            "This address only takes what a form on our pages sends.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => ("Too long", "That was more than our forms take."),
        StatusCode::TOO_MANY_REQUESTS => (
            "Too many tries",
            "A password was given too often for this account, or from your network. Please try again \
             in a few minutes. Where you are logged in, you stay logged in.",
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            "Please try again",
            "Something is the matter on our side. Nobody was logged out by it; please try again in \
             a moment.",
        ),
        status if status.is_client_error() => (
            "Not understood",
            "We could not read what your browser sent. Please try again with the form on our page.",
        ),
        _ => (
            "Something went wrong",
            "This is our mistake, not yours. Please try again later.",
        ),
    }
}
