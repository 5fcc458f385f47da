//! Who you are, or where to log in.

use maud::{Markup, html};
use sessionup::{Sessions, UserKey};

use crate::pages::error::PageError;
use crate::pages::{Viewer, page};

pub(crate) async fn show(sessions: Sessions) -> Result<Markup, PageError> {
    let session = sessions.current().await?;
    Ok(match session {
        Some(session) => greet(&session.user_key),
        None => invite(),
    })
}

fn greet(user: &UserKey) -> Markup {
    let content = html! {
        p { "You are logged in as " strong { bdi { (user) } } "." }
        p { a.button href="/devices" { "See your devices" } }
    };
    page("Welcome", Viewer::User, &content)
}

fn invite() -> Markup {
    let content = html! {
        p { "See where you are logged in, and log out any of those places." }
        p.buttons {
            a.button href="/login" { "Log in" }
            a.button.plain href="/register" { "Register" }
        }
    };
    page("Welcome", Viewer::Stranger, &content)
}
