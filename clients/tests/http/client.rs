//! A client on one connection, of HTTP/1.1 or of HTTP/2 by prior knowledge.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

pub(crate) const VERSIONS: [Version; 2] = [Version::Http1, Version::Http2];

pub(crate) struct Client {
    address: SocketAddr,
    sender: Sender,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, version: Version) -> Self {
        let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let sender = match version {
            Version::Http1 => {
                let (sender, connection) = http1::handshake(io).await.unwrap();
                tokio::spawn(connection.with_upgrades());
                Sender::Http1(sender)
            }
            Version::Http2 => {
                let executor = TokioExecutor::new();
                let (sender, connection) = http2::handshake(executor, io).await.unwrap();
                tokio::spawn(connection);
                Sender::Http2(sender)
            }
        };
        Self { address, sender }
    }

    /// Sends a request and reads the head of the answer.
    pub(crate) async fn start(&mut self, mut request: Request<Full<Bytes>>) -> Response<Incoming> {
        match &mut self.sender {
            Sender::Http1(sender) => {
                let host = self.address.to_string().parse().unwrap();
                request.headers_mut().insert("host", host);
                sender.ready().await.unwrap();
                sender.send_request(request).await.unwrap()
            }
            Sender::Http2(sender) => {
                let uri = format!("http://{}{}", self.address, request.uri());
                *request.uri_mut() = uri.parse().unwrap();
                sender.ready().await.unwrap();
                sender.send_request(request).await.unwrap()
            }
        }
    }

    /// Sends a request and reads the answer to its end.
    pub(crate) async fn send(&mut self, request: http::request::Builder) -> Answer {
        self.send_with(request, "").await
    }

    pub(crate) async fn send_with(
        &mut self,
        request: http::request::Builder,
        body: &'static str,
    ) -> Answer {
        let request = request.body(Full::from(body)).unwrap();
        let (parts, body) = self.start(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}

impl Answer {
    /// Returns the cookie that the answer sets, which must be the only one, as a client sends it.
    pub(crate) fn cookie(&self) -> String {
        only_cookie(&self.headers)
    }
}

pub(crate) fn only_cookie(headers: &HeaderMap) -> String {
    let cookies: Vec<_> = headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies.len(), 1, "cookies of {headers:?}");
    let cookie = cookies[0].to_str().unwrap();
    let pair = cookie.split(';').next().unwrap();
    evidence::note_issued(pair.split('=').nth(1).unwrap_or_default());
    pair.to_owned()
}

/// How often `Vary` names the cookie.
pub(crate) fn varies_by_cookie(headers: &HeaderMap) -> usize {
    let fields = headers.get_all("vary").iter();
    let names = fields.flat_map(|value| value.to_str().unwrap().split(','));
    names
        .filter(|name| name.trim().eq_ignore_ascii_case("cookie"))
        .count()
}
