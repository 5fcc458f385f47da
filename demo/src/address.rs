//! The address that the server is opened by in a browser.

use std::fmt;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// Prints the address, alone on the first line, for whoever started the program. Logs in which browsers
/// a login works there.
pub(crate) fn announce(address: SocketAddr, insecure_http: bool) {
    let mut stdout = io::stdout().lock();
    let printed = writeln!(stdout, "{}", Url(address)).and_then(|()| stdout.flush());
    if let Err(error) = printed {
        tracing::warn!(%error, "the address could not be printed");
    }
    tracing::info!(%address, "listening");
    if !insecure_http {
        tracing::info!(
            "browsers keep the session cookie over HTTPS, and over plain HTTP from http://localhost \
             alone, Safari not even from there; for plain HTTP start with --insecure-http"
        );
    }
}

/// What to type into a browser. By the name `localhost` it keeps secure cookies over plain HTTP, and a
/// server that listens on all addresses is reached by it too.
struct Url(SocketAddr);

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = self.0.ip().to_canonical();
        let is_localhost = ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST;
        if is_localhost || ip.is_unspecified() {
            write!(f, "http://localhost:{}", self.0.port())
        } else {
            write!(f, "http://{}", SocketAddr::new(ip, self.0.port()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_of_an_address_can_be_opened() {
        let cases = [
            ("127.0.0.1:3000", "http://localhost:3000"),
            ("[::1]:3000", "http://localhost:3000"),
            ("[::ffff:127.0.0.1]:3000", "http://localhost:3000"),
            ("0.0.0.0:3000", "http://localhost:3000"),
            ("[::]:3000", "http://localhost:3000"),
            ("127.0.0.2:3000", "http://127.0.0.2:3000"),
            ("192.0.2.1:80", "http://192.0.2.1:80"),
            ("[::ffff:192.0.2.1]:80", "http://192.0.2.1:80"),
            ("[2001:db8::1]:80", "http://[2001:db8::1]:80"),
        ];
        for (address, expected) in cases {
            assert_eq!(Url(address.parse().unwrap()).to_string(), expected);
        }
    }
}
