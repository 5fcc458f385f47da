//! A stream of events that ends with the session: a page that is open elsewhere notices at once that
//! it was logged out.

use std::convert::Infallible;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, StreamExt};
use sessionup::Sessions;

use crate::app::AppState;

pub(crate) async fn events(State(app): State<AppState>, sessions: Sessions) -> impl IntoResponse {
    let revoked = sessions.revoked();
    let end = async move {
        tokio::select! {
            () = revoked => Some(Event::default().event("revoked").data("log in again")),
            // The browser comes back when the server is there again.
            () = app.stopping() => None,
        }
    };
    let opened = stream::iter([Event::default().comment("open")]);
    let ended = stream::once(end).filter_map(std::future::ready);
    let events = opened.chain(ended).map(Ok::<_, Infallible>);
    Sse::new(events).keep_alive(KeepAlive::default())
}

/// What the page of devices does with the events.
pub(crate) async fn script() -> impl IntoResponse {
    const SCRIPT: &str = r#"const events = new EventSource("/devices/live");
// What the user does here leads where its answer says.
addEventListener("submit", () => events.close());
events.addEventListener("revoked", () => {
  events.close();
  location.assign("/login");
});
"#;
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)
}
