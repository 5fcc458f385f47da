//! Logging in and out.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use sessionup::Sessions;

use crate::app::AppState;
use crate::pages::error::PageError;
use crate::pages::{Credentials, Form, Viewer, current_password_field, name_field, page, problem};
use crate::tries::Network;

pub(crate) async fn form() -> Markup {
    show("", None)
}

pub(crate) async fn submit(
    State(app): State<AppState>,
    network: Network,
    sessions: Sessions,
    Form(login): Form<Credentials>,
) -> Result<Response, PageError> {
    let name = login.name.trim();
    let current = sessions.current().await?;
    let verified = app.verify(name, login.password, network, current.as_deref());
    if verified.await?.is_none() {
        let again = show(name, Some("This name and password do not go together."));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, again).into_response());
    }
    sessions.init(name).await?;
    Ok(Redirect::to("/devices").into_response())
}

/// Open to everybody: who is logged out already gets the dead cookie removed.
pub(crate) async fn logout(sessions: Sessions) -> Result<Redirect, PageError> {
    sessions.revoke().await?;
    Ok(Redirect::to("/"))
}

fn show(name: &str, why_again: Option<&str>) -> Markup {
    let content = html! {
        (problem(why_again))
        form.card method="post" action="/login" {
            (name_field(name))
            (current_password_field("Password", "password"))
            button type="submit" { "Log in" }
        }
        p { "No account yet? " a href="/register" { "Register" } }
    };
    page("Log in", Viewer::Stranger, &content)
}
