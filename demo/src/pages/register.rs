//! Making an account.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use sessionup::Sessions;

use crate::accounts::AccountName;
use crate::app::AppState;
use crate::pages::error::PageError;
use crate::pages::login::LOGGED_IN;
use crate::pages::{Credentials, Form, Viewer, name_field, new_password_field, page, problem};
use crate::passwords::{NewPassword, Password};
use crate::tries::Network;

pub(crate) async fn form() -> Markup {
    show("", None)
}

pub(crate) async fn submit(
    State(app): State<AppState>,
    network: Network,
    sessions: Sessions,
    Form(registration): Form<Credentials>,
) -> Result<Response, PageError> {
    let Credentials {
        name: typed,
        password,
    } = registration;
    match register(&app, &typed, password, network).await? {
        Ok(name) => {
            sessions.init(name.as_str()).await?;
            Ok(Redirect::to(LOGGED_IN).into_response())
        }
        Err(why) => {
            let again = show(&typed, Some(&why));
            Ok((StatusCode::UNPROCESSABLE_ENTITY, again).into_response())
        }
    }
}

/// Makes the account, or says in words for the user why not.
async fn register(
    app: &AppState,
    name: &str,
    password: Password,
    network: Network,
) -> Result<Result<AccountName, String>, PageError> {
    let name = match AccountName::new(name) {
        Ok(name) => name,
        Err(invalid) => return Ok(Err(invalid.to_string())),
    };
    let password = match NewPassword::new(password) {
        Ok(password) => password,
        Err(invalid) => return Ok(Err(invalid.to_string())),
    };
    let hash = app.hash_for_new_account(password, network).await?;
    let is_made = app.accounts.insert(name.clone(), hash).await?;
    Ok(if is_made {
        Ok(name)
    } else {
        Err("This name is taken, please choose another.".into())
    })
}

fn show(name: &str, why_again: Option<&str>) -> Markup {
    let content = html! {
        (problem(why_again))
        form.card method="post" action="/register" {
            (name_field(name))
            (new_password_field("Password", "password"))
            button type="submit" { "Register" }
        }
        p { "Registered already? " a href="/login" { "Log in" } }
    };
    page("Register", Viewer::Stranger, &content)
}
