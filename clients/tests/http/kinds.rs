//! Every kind of response in which a handler logged in: the cookie leaves with it once.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request as AxumRequest};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, ETAG, SET_COOKIE, UPGRADE};
use http::{Request, StatusCode};
use http_body_util::{Channel, Full};
use hyper_util::rt::TokioIo;
use sessionup::{HttpError, MemoryStore, SessionLayers, Sessions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{Client, VERSIONS, Version, only_cookie, varies_by_cookie};
use super::support::app::manager;
use super::support::serve::Served;

fn kind(name: &str) -> Response {
    match name {
        "empty" => StatusCode::NO_CONTENT.into_response(),
        "error" => (StatusCode::INTERNAL_SERVER_ERROR, "error").into_response(),
        "not-found" => StatusCode::NOT_FOUND.into_response(),
        "not-modified" => (StatusCode::NOT_MODIFIED, [(ETAG, "\"tag\"")]).into_response(),
        "partial" => (StatusCode::PARTIAL_CONTENT, "part").into_response(),
        "public" => ([(CACHE_CONTROL, "public, max-age=60")], "page").into_response(),
        "redirect" => Redirect::to("/").into_response(),
        "refused" => StatusCode::UNAUTHORIZED.into_response(),
        "set-already" => ([(SET_COOKIE, "theme=dark")], "page").into_response(),
        "streamed" => streamed(),
        "text" => "text".into_response(),
        other => panic!("{other}"),
    }
}

/// Most of the body comes after the head has gone out.
fn streamed() -> Response {
    let (mut sender, body) = Channel::<Bytes>::new(1);
    tokio::spawn(async move {
        // Ends early where nobody reads, as with HEAD.
        for _ in 0..100 {
            if sender
                .send_data(Bytes::from_static(b"piece"))
                .await
                .is_err()
            {
                return;
            }
        }
    });
    Body::new(body).into_response()
}

async fn login(
    sessions: Sessions,
    Path(name): Path<String>,
    _whole_body: Bytes,
) -> Result<Response, HttpError> {
    sessions.init("ann").await?;
    Ok(kind(&name))
}

fn served() -> Served {
    let manager = manager(MemoryStore::new());
    let app = Router::new()
        .route("/login/{kind}", any(login))
        .route("/upgrade", get(upgrade))
        .route("/private", get(async || "private"))
        .route_layer(manager.public());
    let private = Router::new()
        .route("/behind", get(async || "private"))
        .route_layer(manager.auth());
    Served::new(app.merge(private))
}

#[tokio::test]
async fn cookie_leaves_once_with_every_kind() {
    let served = served();
    let cases = [
        ("GET", "empty", 204),
        ("GET", "error", 500),
        ("GET", "not-found", 404),
        ("GET", "not-modified", 304),
        ("GET", "partial", 206),
        ("GET", "public", 200),
        ("GET", "redirect", 303),
        ("GET", "refused", 401),
        ("GET", "streamed", 200),
        ("GET", "text", 200),
        ("HEAD", "text", 200),
        ("HEAD", "streamed", 200),
        ("POST", "text", 200),
        ("OPTIONS", "text", 200),
        ("DELETE", "empty", 204),
    ];
    for version in VERSIONS {
        for (method, kind, status) in cases {
            let name = format!("{version:?} {method} {kind}");
            let mut client = Client::connect(served.address(), version).await;
            let request = Request::builder().method(method);
            let answer = client.send(request.uri(format!("/login/{kind}"))).await;

            assert_eq!(answer.status, status, "{name}");
            let cookie = answer.cookie();
            assert_eq!(varies_by_cookie(&answer.headers), 1, "{name}");
            assert_eq!(answer.headers["cache-control"], "no-store", "{name}");
            let expected = match (method, kind) {
                ("HEAD", _) => 0,
                (_, "streamed") => 500,
                _ => answer.body.len(),
            };
            assert_eq!(answer.body.len(), expected, "{name}");
            let behind = Request::get("/behind").header("cookie", cookie);
            assert_eq!(client.send(behind).await.body, "private", "{name}");
        }
    }
}

#[tokio::test]
async fn cookies_of_the_handler_stay() {
    let served = served();
    for version in VERSIONS {
        let mut client = Client::connect(served.address(), version).await;
        let answer = client.send(Request::get("/login/set-already")).await;
        let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies.len(), 2, "{version:?}");
        assert_eq!(cookies[0], "theme=dark");
        assert!(cookies[1].to_str().unwrap().starts_with("__Host-id="));
    }
}

/// Logs in with the response that leaves HTTP, and echoes from there on.
async fn upgrade(sessions: Sessions, request: AxumRequest) -> Result<Response, HttpError> {
    sessions.init("ann").await?;
    tokio::spawn(async move {
        let upgraded = hyper::upgrade::on(request).await.unwrap();
        let mut io = TokioIo::new(upgraded);
        let mut bytes = [0; 4];
        io.read_exact(&mut bytes).await.unwrap();
        io.write_all(&bytes).await.unwrap();
    });
    let headers = [(CONNECTION, "upgrade"), (UPGRADE, "echo")];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}

/// HTTP/2 has no 101.
#[tokio::test]
async fn upgrade_carries_the_cookie_and_works() {
    let served = served();
    let mut client = Client::connect(served.address(), Version::Http1).await;
    let request = Request::get("/upgrade")
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "echo")
        .body(Full::default())
        .unwrap();
    let response = client.start(request).await;

    assert_eq!(response.status(), 101);
    let cookie = only_cookie(response.headers());
    assert_eq!(varies_by_cookie(response.headers()), 1);
    let mut io = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    io.write_all(b"ping").await.unwrap();
    let mut bytes = [0; 4];
    io.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"ping");
    let mut client = Client::connect(served.address(), Version::Http1).await;
    let behind = Request::get("/behind").header("cookie", cookie);
    assert_eq!(client.send(behind).await.body, "private");
}

/// `100 Continue` comes before the handler ran; the cookie is on the final answer alone.
#[tokio::test]
async fn interim_answers_carry_no_cookie() {
    let served = served();
    let mut io = TcpStream::connect(served.address()).await.unwrap();
    let head = "POST /login/text HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n\
                content-length: 4\r\nconnection: close\r\n\r\n";
    io.write_all(head.as_bytes()).await.unwrap();
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut read = vec![0; interim.len()];
    io.read_exact(&mut read).await.unwrap();
    assert_eq!(read, interim);

    io.write_all(b"body").await.unwrap();
    let mut answer = String::new();
    io.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let cookies = answer.matches("set-cookie: __Host-id=");
    assert_eq!(cookies.count(), 1, "{answer}");
}
