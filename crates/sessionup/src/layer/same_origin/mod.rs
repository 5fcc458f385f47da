//! Refusing what another site made a browser send: the tower layer [`SameOriginLayer`].
//!
//! What it decides, in this order:
//!
//! 1. `GET`, `HEAD` and `OPTIONS` pass. They must change nothing (ASVS 5.0 3.5.3).
//! 2. `Sec-Fetch-Site` is `same-origin`, or `none` for what the user did by hand: passes. Browsers
//!    send it over HTTPS and to localhost, and no page can set it. Chromium does not send it with the
//!    handshake of a WebSocket.
//! 3. `Origin` is one of the [trusted](SameOriginLayer::trust): passes.
//! 4. `Sec-Fetch-Site` is anything else: refused. A sibling subdomain, `same-site`, is another
//!    origin.
//! 5. No `Sec-Fetch-Site`, and `Origin` is `http` or `https` with the host and port that the request
//!    is for, a missing port being that of the scheme: passes. What the request is for says
//!    `:authority` or, in HTTP/1.1, an absolute target or `Host`; if two of them differ it is
//!    refused.
//! 6. Neither field: passes. Every browser sends `Origin` with a `POST` from another site and with
//!    the handshake of a WebSocket, so this is a program (curl, an app).
//! 7. Anything else is refused: another origin, `null`, a field that is there twice, is empty or is
//!    no text.
//!
//! # Deployment
//!
//! A proxy that rewrites `Host`, as development servers do, makes `Origin` differ from `Host`:
//!
//! - Let the proxy pass `Host` on (nginx: `proxy_set_header Host $host`; Vite:
//!   `changeOrigin: false`), or [trust](SameOriginLayer::trust) the origin that users see in the
//!   address bar.
//! - WebSockets always need one of the two, since Chromium sends no `Sec-Fetch-Site` with their
//!   handshake. Forms and `fetch` pass by rule 2 over HTTPS and on localhost, as long as the proxy keeps
//!   `Sec-Fetch-Site`.
//! - The log says `cross-site request refused` with `because="origin"` and what to do. The 1st, 10th,
//!   100th … request of a layer that is refused for one reason has a line at level WARN, the others
//!   at DEBUG.
//!
//! Rule 5 cannot tell `http://example.org` from `https://example.org` if TLS ends at a proxy. Browsers
//! that send no `Sec-Fetch-Site` to an HTTPS site are years old; HSTS keeps also these from being
//! fed a page over HTTP.
//!
//! The rules are those of Go's `CrossOriginProtection` and of the OWASP CSRF cheat sheet, with stricter
//! reading of what is ambiguous.

mod future;
mod layer;
mod origin;
mod policy;
mod refused;
mod service;

pub use future::SameOriginFuture;
pub use layer::SameOriginLayer;
pub use origin::InvalidOrigin;
pub use service::SameOrigin;
