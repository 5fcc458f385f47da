//! The pages, and what they have in common.

pub(crate) mod assets;
pub(crate) mod confirm;
pub(crate) mod devices;
pub(crate) mod error;
pub(crate) mod home;
pub(crate) mod live;
pub(crate) mod login;
pub(crate) mod password;
pub(crate) mod register;

use axum::extract::FromRequest;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use maud::{DOCTYPE, Markup, Render, html};
use serde::Deserialize;

use self::error::PageError;
use crate::passwords::Password;

/// The fields of a form; a body that has none is answered with an error page.
#[derive(FromRequest)]
#[from_request(via(axum::extract::Form), rejection(PageError))]
pub(crate) struct Form<T>(pub(crate) T);

/// A name and a password, as somebody typed them. A field that is missing counts as empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Credentials {
    name: String,
    password: Password,
}

/// Who looks at a page, as far as it knows.
#[derive(Clone, Copy)]
enum Viewer {
    Anybody,
    Stranger,
    User,
}

/// Puts a page around its content.
fn page(title: &str, viewer: Viewer, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – Your devices" }
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href=(assets::STYLE_PATH);
            }
            body {
                header { (navigation(viewer)) }
                main {
                    h1 { (title) }
                    (content)
                }
            }
        }
    }
}

fn navigation(viewer: Viewer) -> Markup {
    html! {
        nav aria-label="Main" {
            a.brand href="/" { "Your devices" }
            @match viewer {
                Viewer::Anybody => {}
                Viewer::Stranger => {
                    a href="/login" { "Log in" }
                    a href="/register" { "Register" }
                }
                Viewer::User => {
                    a href="/devices" { "Devices" }
                    a href="/password" { "Password" }
                    form method="post" action="/logout" {
                        button.link type="submit" { "Log out" }
                    }
                }
            }
        }
    }
}

/// Says in a form why it was not taken.
fn problem(text: Option<impl Render>) -> Markup {
    html! {
        @if let Some(text) = text {
            p #problem .problem role="alert" { (text) }
        }
    }
}

fn name_field(name: &str) -> Markup {
    html! {
        label for="name" { "Name" }
        input #name name="name" type="text" value=(name) required
            autocomplete="username" autocapitalize="none" spellcheck="false";
    }
}

fn current_password_field(label: &str, id: &str) -> Markup {
    html! {
        label for=(id) { (label) }
        input id=(id) name=(id) type="password" required autocomplete="current-password";
    }
}

fn new_password_field(label: &str, id: &str) -> Markup {
    html! {
        label for=(id) { (label) }
        input id=(id) name=(id) type="password" required minlength="8"
            autocomplete="new-password" aria-describedby="rules";
        p #rules .hint { "At least 8 characters. A few words make a good password." }
    }
}

/// Says whether a client asks for JSON rather than for a page.
fn wants_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter();
    let accepted = accepted.filter_map(|value| value.to_str().ok());
    let mut types = accepted.flat_map(|value| value.split(',')).map(media_type);
    let mut json = false;
    let takes_pages = types.any(|media| {
        json |= media.eq_ignore_ascii_case("application/json");
        media.eq_ignore_ascii_case("text/html")
    });
    json && !takes_pages
}

fn media_type(range: &str) -> &str {
    range.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_json() {
        let cases: [(&[&str], bool); 9] = [
            (&[], false),
            (&["*/*"], false),
            (&["text/html,application/xhtml+xml,*/*;q=0.8"], false),
            (&["application/json"], true),
            (&["Application/JSON; charset=utf-8"], true),
            (&["application/json, text/plain, */*"], true),
            (&["text/plain", "application/json"], true),
            (&["application/json, text/html"], false),
            (&["application/json-seq"], false),
        ];
        for (accepted, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in accepted {
                headers.append(ACCEPT, value.parse().unwrap());
            }
            assert_eq!(wants_json(&headers), expected, "{accepted:?}");
        }
    }

    #[test]
    fn markup_in_names_is_escaped() {
        let field = name_field("\"><script>alert(1)</script>").into_string();
        assert!(field.contains("&quot;&gt;&lt;script&gt;"), "{field}");
        assert!(!field.contains("<script"), "{field}");
    }
}
