//! Changing the password.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use sessionup::{CurrentSession, Sessions, UserKey};

use crate::app::AppState;
use crate::pages::error::PageError;
use crate::pages::{Form, Viewer, current_password_field, new_password_field, page, problem};
use crate::passwords::{NewPassword, Password, PasswordHash};
use crate::tries::Network;

/// What somebody typed. A field that is missing counts as empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PasswordChange {
    current_password: Password,
    new_password: Password,
    /// Browsers send a checkbox only if it is checked.
    log_out_others: Option<String>,
}

pub(crate) async fn form(current: CurrentSession) -> Markup {
    show(&current.user_key, true, None)
}

pub(crate) async fn change(
    State(app): State<AppState>,
    network: Network,
    sessions: Sessions,
    current: CurrentSession,
    Form(change): Form<PasswordChange>,
) -> Result<Response, PageError> {
    let user = &current.user_key;
    let log_out_others = change.log_out_others.is_some();
    let again = |why: &str| {
        let form = show(user, log_out_others, Some(why));
        Ok((StatusCode::UNPROCESSABLE_ENTITY, form).into_response())
    };

    let new = match NewPassword::new(change.new_password) {
        Ok(new) => new,
        Err(invalid) => return again(&invalid.to_string()),
    };
    let typed = change.current_password;
    let verified = app.verify(user.as_str(), typed, network, Some(&*current));
    let Some(old) = verified.await? else {
        return again("The current password is not right.");
    };
    let new = app.passwords.turn()?.hash(new).await?;
    // A task, for half of it would be worse than nothing, and requests can be broken off.
    let task = tokio::spawn(apply(app, sessions, user.clone(), old, new, log_out_others));
    if !task.await?? {
        return again("The password was changed elsewhere just now.");
    }
    Ok(Redirect::to("/devices?password-changed").into_response())
}

/// Sets the password, logs out who may have known the old one, also those who are logging in by it
/// right now, and gives this session a new token. Says whether the old password still was the one that was verified.
async fn apply(
    app: AppState,
    sessions: Sessions,
    user: UserKey,
    old: PasswordHash,
    new: PasswordHash,
    log_out_others: bool,
) -> Result<bool, PageError> {
    let is_set = app.accounts.replace_hash(user.as_str(), old, new).await?;
    if is_set {
        if log_out_others {
            match sessions.revoke_other().await {
                // Somebody ended this session first, and need not be its user.
                Err(sessionup::Error::NoSession) => {
                    sessions.manager().revoke_by_user_key(&user).await?;
                }
                revoked => drop(revoked?),
            }
        }
        sessions.reauthenticate().await?;
    }
    Ok(is_set)
}

fn show(user: &UserKey, log_out_others: bool, why_again: Option<&str>) -> Markup {
    let content = html! {
        (problem(why_again))
        form.card method="post" action="/password" {
            // Tells password managers whose password it is.
            input type="text" name="name" value=(user) autocomplete="username" readonly hidden;
            (current_password_field("Current password", "current_password"))
            (new_password_field("New password", "new_password"))
            label.check {
                input type="checkbox" name="log_out_others" value="yes" checked[log_out_others];
                "Log out my other devices"
            }
            button type="submit" { "Change password" }
        }
    };
    page("Change password", Viewer::User, &content)
}
