//! Giving a request its handle.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::header::{COOKIE, Entry, USER_AGENT};
use http::{Extensions, HeaderMap, Request};
use sessionup_core::{Manager, Peer};

use crate::Sessions;
use crate::layer::occurrences::Occurrences;

/// The address of the socket's other end, for servers other than axum's.
///
/// Put it into the extensions of a request before it meets the layers. Never fill it from a header:
/// a client can send any header.
///
/// ```
/// use std::net::SocketAddr;
/// use sessionup::PeerAddr;
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(PeerAddr::new(SocketAddr::from(([192, 0, 2, 1], 50_000))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(SocketAddr);

impl PeerAddr {
    /// Names the other end of a socket.
    #[must_use]
    pub const fn new(address: SocketAddr) -> Self {
        Self(address)
    }
}

/// What all services of one layer share.
#[derive(Debug)]
pub(super) struct Site {
    manager: Manager,
    /// Requests that came with the handle of another manager.
    foreign: Occurrences,
}

impl Site {
    pub(super) fn new(manager: &Manager) -> Arc<Self> {
        Arc::new(Self {
            manager: manager.clone(),
            foreign: Occurrences::default(),
        })
    }

    /// Tells that the handle of another manager is about to be replaced.
    fn warn_of(&self, outer: &Sessions) {
        if let Some(requests) = self.foreign.count() {
            tracing::warn!(
                target: "sessionup",
                outer = outer.manager().cookie_name(),
                inner = self.manager.cookie_name(),
                requests,
                "layers of two session managers around one route: the handler gets the sessions of \
                 the inner one, use SessionLayers::handle for the other one"
            );
        }
    }
}

/// A request's way through one layer.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) sessions: Sessions,
    /// Whether this layer sees to the response, and no layer further out.
    is_outermost: bool,
}

impl Visit {
    /// Takes on the handle of an outer layer of this manager, or makes one.
    pub(super) fn enter<B>(site: &Site, request: &mut Request<B>) -> Self {
        let manager = &site.manager;
        if let Some(sessions) = request.extensions().get::<Sessions>() {
            if sessions.manager().is_same(manager) {
                return Self {
                    sessions: sessions.clone(),
                    is_outermost: false,
                };
            }
            site.warn_of(sessions);
        }
        hide_cookies(request.headers_mut());
        let sessions = handle(manager, request.headers(), request.extensions());
        request.extensions_mut().insert(sessions.clone());
        Self {
            sessions,
            is_outermost: true,
        }
    }

    /// Puts what became of the cookie on the response.
    pub(super) fn leave(&self, response: &mut HeaderMap) {
        if self.is_outermost {
            self.sessions.finish(response);
        }
    }
}

/// Makes the handle of a request.
pub(super) fn handle(manager: &Manager, headers: &HeaderMap, extensions: &Extensions) -> Sessions {
    let agent = headers.get(USER_AGENT).map(|agent| agent.as_bytes());
    let peer = Peer::new(client_ip(manager, headers, extensions), agent);
    let cookies = headers.get_all(COOKIE).iter();
    let cookies = cookies.map(|cookie| cookie.as_bytes());
    Sessions::from(manager.sessions(cookies, peer))
}

/// Keeps the token out of what prints the request's headers from here on.
fn hide_cookies(headers: &mut HeaderMap) {
    if let Entry::Occupied(mut cookies) = headers.entry(COOKIE) {
        for cookie in cookies.iter_mut() {
            cookie.set_sensitive(true);
        }
    }
}

/// The client's address: the peer's, or what trusted proxies tell. Without them no header is read.
fn client_ip(manager: &Manager, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
    let peer = peer_ip(extensions);
    let Some(proxies) = manager.trusted_proxies() else {
        return peer;
    };
    let lines = headers.get_all(proxies.header_name());
    proxies.client_ip(peer, lines.iter().map(|line| line.as_bytes()))
}

fn peer_ip(extensions: &Extensions) -> Option<IpAddr> {
    if let Some(PeerAddr(address)) = extensions.get() {
        return Some(address.ip());
    }
    #[cfg(feature = "axum")]
    if let Some(axum::extract::ConnectInfo(address)) =
        extensions.get::<axum::extract::ConnectInfo<SocketAddr>>()
    {
        return Some(address.ip());
    }
    None
}
