//! Changing the password.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use sessionup::{CurrentSession, Sessions, StoreError, UserKey};

use crate::app::AppState;
use crate::hashing::Asker;
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
    let new = app.passwords.turn(Asker::User)?.hash(new).await?;
    // A task, for half of it would be worse than nothing, and requests can be broken off.
    let task = tokio::spawn(apply(app, sessions, user.clone(), old, new, log_out_others));
    if !task.await?? {
        return again("The password was changed elsewhere just now.");
    }
    Ok(Redirect::to("/devices?password-changed").into_response())
}

/// Sets the password, and then ends what the old one opened. Says whether the old password still was
/// the one that was verified.
///
/// If the sessions cannot be ended, the old password is put back: a new one that leaves everybody in
/// would look like a change that helped. If it is unknown whether they were, the new one stays: they
/// may have ended, this one too.
async fn apply(
    app: AppState,
    sessions: Sessions,
    user: UserKey,
    old: PasswordHash,
    new: PasswordHash,
    log_out_others: bool,
) -> Result<bool, PageError> {
    let (name, accounts) = (user.as_str(), &app.accounts);
    let is_set = accounts.replace_hash(name, old.clone(), new.clone());
    if !is_set.await? {
        return Ok(false);
    }
    let finished = if log_out_others {
        // In one step, and logins by the old password that are under way are refused. If this session
        // was ended or renewed by somebody else meanwhile, all of the user's end.
        sessions.finish_password_change().await.map(drop)
    } else {
        sessions.reauthenticate().await.map(drop)
    };
    let is_unchanged = match &finished {
        Err(sessionup::Error::Store(error)) => !matches!(error, StoreError::OutcomeUnknown { .. }),
        Ok(()) | Err(_) => false,
    };
    if is_unchanged {
        accounts.replace_hash(name, new, old).await?;
    }
    Ok(finished.map(|()| true)?)
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
