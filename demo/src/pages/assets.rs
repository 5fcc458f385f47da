//! What pages are dressed in.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;

/// Where the stylesheet is; another version has another address.
pub(crate) const STYLE_PATH: &str = concat!("/style.css?v=", env!("CARGO_PKG_VERSION"));

pub(crate) async fn style() -> impl IntoResponse {
    cached("text/css; charset=utf-8", include_str!("style.css"))
}

pub(crate) async fn icon() -> impl IntoResponse {
    cached("image/svg+xml", include_str!("icon.svg"))
}

fn cached(content_type: &'static str, content: &'static str) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "public, max-age=3600"),
    ];
    (headers, content)
}
