//! Where you are logged in.

use std::num::NonZeroUsize;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery};
use axum::http::header::LINK;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use sessionup::{
    CurrentSession, DeviceKind, HttpError, ListedSession, SessionId, SessionPage, Sessions,
    Timestamp,
};

use crate::pages::error::PageError;
use crate::pages::{Viewer, page, wants_json};

/// Most devices on one page.
const PAGE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(24);

pub(crate) async fn list(
    sessions: Sessions,
    current: CurrentSession,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.as_deref().unwrap_or_default();
    let after = query.strip_prefix("after=").map(str::parse);
    let Ok(after) = after.transpose() else {
        return PageError::NotFound.into_response();
    };
    let page = sessions.list_page(after, PAGE).await;
    if wants_json(&headers) {
        return page.map(as_json).map_err(HttpError::from).into_response();
    }
    match page {
        Ok(page) => show(&current, &page, after.is_some(), done(query)).into_response(),
        Err(error) => PageError::from(error).into_response(),
    }
}

/// Answers as `/api/sessions` does: an array, and a field that leads to the next page.
fn as_json(page: SessionPage) -> Response {
    let mut response = Json(page.sessions).into_response();
    let next = page
        .next
        .map(|next| format!("<{}>; rel=\"next\"", path_of(next)));
    if let Some(Ok(link)) = next.map(HeaderValue::try_from) {
        response.headers_mut().insert(LINK, link);
    }
    response
}

/// Returns the path of the page that goes on after a session.
fn path_of(after: SessionId) -> String {
    format!("/devices?after={after}")
}

/// The answer is the same for the session of another user and for none.
pub(crate) async fn revoke(
    sessions: Sessions,
    current: CurrentSession,
    id: Result<Path<SessionId>, PathRejection>,
) -> Result<Redirect, PageError> {
    let Path(id) = id.map_err(|_| PageError::NotFound)?;
    if !sessions.revoke_by_id(id).await? {
        return Err(PageError::NotFound);
    }
    Ok(Redirect::to(if id == current.id {
        "/"
    } else {
        "/devices?logged-out"
    }))
}

pub(crate) async fn revoke_other(sessions: Sessions) -> Result<Redirect, PageError> {
    sessions.revoke_other().await?;
    Ok(Redirect::to("/devices?logged-out-others"))
}

pub(crate) async fn revoke_all(sessions: Sessions) -> Result<Redirect, PageError> {
    sessions.revoke_all().await?;
    Ok(Redirect::to("/"))
}

/// Says what led here.
fn done(query: &str) -> Option<&'static str> {
    match query {
        "logged-in" => Some("You are logged in."),
        "logged-out" => Some("That device is logged out."),
        "logged-out-others" => Some("All other devices are logged out."),
        "confirmed" => Some("Thank you. You can log out devices now."),
        "password-changed" => Some("Your password is changed."),
        _ => None,
    }
}

fn show(
    current: &CurrentSession,
    listed: &SessionPage,
    goes_on: bool,
    done: Option<&str>,
) -> Markup {
    let devices = &listed.sessions;
    let content = html! {
        script src="/live.js" defer {}
        @if let Some(text) = done {
            p.done role="status" { (text) }
        }
        p { "Here " strong { bdi { (current.user_key) } } " is logged in:" }
        ul.devices {
            @for listed in devices { (device(listed)) }
        }
        @if goes_on || listed.next.is_some() {
            nav.buttons aria-label="Pages" {
                @if goes_on { a.button.plain href="/devices" { "First devices" } }
                @if let Some(next) = listed.next {
                    a.button.plain href=(path_of(next)) rel="next" { "More devices" }
                }
            }
        }
        div.buttons {
            @if devices.len() > 1 || goes_on || listed.next.is_some() {
                form method="post" action="/devices/revoke-other" {
                    button type="submit" { "Log out everywhere else" }
                }
            }
            form method="post" action="/devices/revoke-all" {
                button.danger type="submit" { "Log out everywhere" }
            }
        }
    };
    page("Your devices", Viewer::User, &content)
}

fn device(listed: &ListedSession) -> Markup {
    let name = &listed.agent;
    html! {
        li.card.current[listed.current] {
            h2 {
                (name)
                @if listed.current { " " span.badge { "this device" } }
            }
            dl {
                @if listed.agent.kind != DeviceKind::Unknown {
                    dt { "Kind" } dd { (listed.agent.kind.as_str()) }
                }
                @if let Some(ip) = listed.ip {
                    dt { "Address" } dd { (ip) }
                }
                dt { "Logged in" } dd { (time(listed.created_at)) }
                dt { "Last seen" } dd { (time(listed.last_seen_at)) }
                dt { "Until" } dd { (time(listed.expires_at)) }
            }
            form method="post" action={ "/devices/" (listed.id) "/revoke" } {
                button.plain type="submit" {
                    "Log out" span.unseen { " " (name) }
                }
            }
        }
    }
}

fn time(time: Timestamp) -> Markup {
    let exact = time.to_string();
    html! {
        time datetime=(exact) { (readable(&exact)) }
    }
}

/// Writes a time of RFC 3339 in UTC for people, to the minute.
fn readable(exact: &str) -> String {
    match (exact.get(..10), exact.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => exact.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_readable_and_exact() {
        let cases = [
            (
                0,
                r#"<time datetime="1970-01-01T00:00:00Z">1970-01-01 00:00 UTC</time>"#,
            ),
            (
                1_795_372_745_981,
                r#"<time datetime="2026-11-22T18:39:05.981Z">2026-11-22 18:39 UTC</time>"#,
            ),
        ];
        for (millis, expected) in cases {
            let written = time(Timestamp::from_millis(millis)).into_string();
            assert_eq!(written, expected);
        }
    }
}
