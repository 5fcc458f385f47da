//! Logging in and out.

use axum::extract::{RawQuery, State};
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use sessionup::Sessions;

use crate::app::AppState;
use crate::pages::error::PageError;
use crate::pages::{Credentials, Form, Viewer, current_password_field, name_field, page, problem};
use crate::tries::Network;

/// Where a login leads. Who comes here without a cookie has a browser that did not keep it.
pub(crate) const LOGGED_IN: &str = "/devices?logged-in";
/// The form that says so.
pub(crate) const NOT_KEPT: &str = "/login?cookie-not-kept";

pub(crate) async fn form(RawQuery(query): RawQuery, headers: HeaderMap) -> Markup {
    let is_kept = query.as_deref() != Some("cookie-not-kept");
    let why = (!is_kept).then(|| why_not_kept(&headers));
    show("", why.as_ref())
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
        let why = html! { "This name and password do not go together." };
        let again = show(name, Some(&why));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, again).into_response());
    }
    sessions.init(name).await?;
    Ok(Redirect::to(LOGGED_IN).into_response())
}

/// Open to everybody: who is logged out already gets the dead cookie removed.
pub(crate) async fn logout(sessions: Sessions) -> Result<Redirect, PageError> {
    sessions.revoke().await?;
    Ok(Redirect::to("/"))
}

/// Says what to do for a login that lasts.
fn why_not_kept(headers: &HeaderMap) -> Markup {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    // A site with a port of its own is under development, on the machine of its user.
    let here = host.and_then(|host| host.port_u16());
    let here = here.map(|port| format!("http://localhost:{port}/login"));
    html! {
        "Your browser did not keep the cookie, so you are not logged in. Over plain HTTP it keeps the \
         cookie from "
        @if let Some(here) = here { a href=(here) { (here) } } @else { "http://localhost" }
        " alone, and Safari not even from there. Use that address, or HTTPS, and allow this site to \
         set cookies."
    }
}

fn show(name: &str, why_again: Option<&Markup>) -> Markup {
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
