//! A stream of events that ends with the session: a page that is open elsewhere notices at once that
//! it was logged out.

use std::convert::Infallible;
use std::num::NonZeroUsize;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, StreamExt};
use sessionup::{Error, SessionPage, Sessions};

use crate::app::AppState;

pub(crate) async fn events(State(app): State<AppState>, sessions: Sessions) -> impl IntoResponse {
    let revoked = sessions.revoked();
    let end = async move {
        tokio::select! {
            () = revoked => told(&sessions).await,
            // The browser comes back when the server is there again.
            () = app.stopping() => None,
        }
    };
    let opened = stream::iter([Event::default().comment("open")]);
    let ended = stream::once(end).filter_map(std::future::ready);
    let events = opened.chain(ended).map(Ok::<_, Infallible>);
    Sse::new(events).keep_alive(KeepAlive::default())
}

/// Says that the session has ended, if that is known. An outage is not a logout: the browser comes back
/// and asks again.
async fn told(sessions: &Sessions) -> Option<Event> {
    match sessions.list_page(None, NonZeroUsize::MIN).await {
        Ok(page) if page != SessionPage::default() => None,
        Ok(_) | Err(Error::NoSession) => {
            Some(Event::default().event("revoked").data("log in again"))
        }
        Err(_) => None,
    }
}

/// What the page of devices does with the events.
pub(crate) async fn script() -> impl IntoResponse {
    let content_type = [(CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (content_type, include_str!("live.js"))
}
