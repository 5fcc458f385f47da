//! Asking for the password once more, before what must not be done at a screen left open.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use sessionup::{CurrentSession, Sessions};

use crate::app::AppState;
use crate::pages::error::PageError;
use crate::pages::{Form, Viewer, current_password_field, page, problem};
use crate::passwords::Password;
use crate::tries::Network;

/// What somebody typed. A field that is missing counts as empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Confirmation {
    password: Password,
}

pub(crate) async fn form() -> Markup {
    show(None)
}

pub(crate) async fn submit(
    State(app): State<AppState>,
    network: Network,
    sessions: Sessions,
    current: CurrentSession,
    Form(confirmation): Form<Confirmation>,
) -> Result<Response, PageError> {
    let name = current.user_key.as_str();
    let verified = app.verify(name, confirmation.password, network, Some(&*current));
    if verified.await?.is_none() {
        let again = show(Some("The password is not right."));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, again).into_response());
    }
    sessions.reauthenticate().await?;
    Ok(Redirect::to("/devices?confirmed").into_response())
}

/// Answers a request that needs a user who was there just now.
pub(crate) fn ask() -> Response {
    (StatusCode::FORBIDDEN, show(None)).into_response()
}

fn show(why_again: Option<&str>) -> Markup {
    let content = html! {
        (problem(why_again))
        p { "It is a while since you logged in. To log out devices, please give your password." }
        form.card method="post" action="/confirm" {
            (current_password_field("Password", "password"))
            button type="submit" { "Continue" }
        }
    };
    page("Is it still you?", Viewer::User, &content)
}
