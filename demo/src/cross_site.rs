//! Refuses requests that another site made a browser send.
//!
//! The session cookie is `SameSite=Strict`; this is the second wall, and the only one around the
//! login form, which needs no cookie.

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::pages::error::PageError;

/// Answers cross-site requests that could change something with 403.
pub async fn refuse(request: Request, next: Next) -> Response {
    if is_allowed(request.method(), request.uri(), request.headers()) {
        next.run(request).await
    } else {
        tracing::warn!("cross-site request refused");
        PageError::CrossSite.into_response()
    }
}

/// Says whether a request may go on.
///
/// Browsers say where a request comes from: in `Sec-Fetch-Site` over HTTPS and on localhost, in
/// `Origin` with every form they post. What says neither is no browser, and has no user to trick.
#[must_use]
pub fn is_allowed(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return true;
    }
    match (field(headers, "sec-fetch-site"), field(headers, ORIGIN)) {
        (Field::One(site), _) => matches!(site, "same-origin" | "none"),
        (Field::Absent, Field::One(origin)) => is_own(origin, host(uri, headers)),
        (Field::Absent, Field::Absent) => true,
        (Field::Unclear, _) | (_, Field::Unclear) => false,
    }
}

/// Returns where the request goes, by the field of HTTP/1.1 or by what HTTP/2 has in its place.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Field<'a> {
    match (field(headers, HOST), uri.authority()) {
        (Field::Absent, Some(authority)) => Field::One(authority.as_str()),
        (host, _) => host,
    }
}

fn is_own(origin: &str, host: Field<'_>) -> bool {
    let Field::One(host) = host else {
        return false;
    };
    match origin.split_once("://") {
        Some(("http" | "https", authority)) => authority.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[derive(Clone, Copy)]
enum Field<'a> {
    Absent,
    One(&'a str),
    /// More than one, or no text.
    Unclear,
}

fn field(headers: &HeaderMap, name: impl axum::http::header::AsHeaderName) -> Field<'_> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Field::Absent,
        (Some(value), None) => value.to_str().map_or(Field::Unclear, Field::One),
        (Some(_), Some(_)) => Field::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const FROM_OUTSIDE: &str = "host: localhost:3000 | sec-fetch-site: cross-site";

    #[test]
    fn requests_that_change_something() {
        let cases = [
            ("no browser", "", true),
            ("own form", "sec-fetch-site: same-origin", true),
            ("by the user", "sec-fetch-site: none", true),
            ("other site", "sec-fetch-site: cross-site", false),
            ("sibling domain", "sec-fetch-site: same-site", false),
            ("unknown word", "sec-fetch-site: maybe", false),
            ("other case", "sec-fetch-site: Same-Origin", false),
            ("empty", "sec-fetch-site: ", false),
            (
                "twice",
                "sec-fetch-site: same-origin | sec-fetch-site: cross-site",
                false,
            ),
            (
                "site counts before origin",
                "sec-fetch-site: cross-site | origin: http://localhost:3000",
                false,
            ),
            (
                "behind a proxy that rewrites the host",
                "sec-fetch-site: same-origin | origin: https://example.org",
                true,
            ),
            ("own origin", "origin: http://localhost:3000", true),
            ("in capitals", "origin: http://LOCALHOST:3000", true),
            ("over TLS", "origin: https://localhost:3000", true),
            ("other origin", "origin: http://evil.example", false),
            ("other port", "origin: http://localhost:3001", false),
            ("no port", "origin: http://localhost", false),
            (
                "longer host",
                "origin: http://localhost:3000.evil.example",
                false,
            ),
            ("other scheme", "origin: ftp://localhost:3000", false),
            ("no scheme", "origin: localhost:3000", false),
            ("null", "origin: null", false),
            ("empty origin", "origin: ", false),
            (
                "two origins",
                "origin: http://localhost:3000 | origin: http://evil.example",
                false,
            ),
            ("no text", "origin: http://localhost:3000\u{e9}", false),
            (
                "two hosts",
                "host: evil.example | origin: http://localhost:3000",
                false,
            ),
        ];
        for (name, fields, expected) in cases {
            let headers = headers(&format!("host: localhost:3000 | {fields}"));
            let allowed = is_allowed(&Method::POST, &Uri::from_static("/login"), &headers);
            assert_eq!(allowed, expected, "{name}");
        }
    }

    #[test]
    fn origin_without_host_is_refused() {
        let headers = headers("origin: http://localhost:3000");
        let uri = Uri::from_static("/login");
        assert!(!is_allowed(&Method::POST, &uri, &headers));
    }

    #[test]
    fn http2_names_the_host_elsewhere() {
        let cases = [
            ("own origin", "origin: http://localhost:3000", true),
            ("other origin", "origin: http://evil.example", false),
            ("null", "origin: null", false),
            (
                "host that says otherwise",
                "host: evil.example | origin: http://localhost:3000",
                false,
            ),
        ];
        let uri = Uri::from_static("http://localhost:3000/login");
        for (name, fields, expected) in cases {
            let allowed = is_allowed(&Method::POST, &uri, &headers(fields));
            assert_eq!(allowed, expected, "{name}");
        }
    }

    #[test]
    fn only_reading_is_free_for_all() {
        let cases = [
            (Method::GET, true),
            (Method::HEAD, true),
            (Method::OPTIONS, true),
            (Method::POST, false),
            (Method::PUT, false),
            (Method::PATCH, false),
            (Method::DELETE, false),
            (Method::TRACE, false),
            (Method::from_bytes(b"MOVE").unwrap(), false),
        ];
        for (method, expected) in cases {
            let allowed = is_allowed(&method, &Uri::from_static("/"), &headers(FROM_OUTSIDE));
            assert_eq!(allowed, expected, "{method}");
        }
    }

    fn headers(fields: &str) -> HeaderMap {
        let fields = fields.split(" | ").filter(|field| !field.is_empty());
        let mut headers = HeaderMap::new();
        for field in fields {
            let (name, value) = field.split_once(": ").unwrap();
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }
}
