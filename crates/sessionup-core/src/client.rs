//! Who sent a request, as far as the request tells.

use std::net::IpAddr;

use crate::Agent;

/// Who sent a request: address and agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Client {
    /// The address; `None` where it is not captured or could not be told.
    pub ip: Option<IpAddr>,
    /// Operating system and browser.
    pub agent: Agent,
}

impl Client {
    /// Puts a client together. An IPv4 address inside IPv6 is held as IPv4.
    #[must_use]
    pub fn new(ip: Option<IpAddr>, agent: Agent) -> Self {
        Self {
            ip: ip.map(|ip| ip.to_canonical()),
            agent,
        }
    }

    /// Compares the client of a request with the one that logged in.
    ///
    /// Only what is in `captured` is compared. A missing address is a mismatch, on either side; of
    /// the agent the names of system and browser count, not the version, which changes by itself.
    #[must_use]
    pub fn mismatch(&self, request: &Self, captured: Capture) -> Option<Mismatch> {
        if captured.ip && (self.ip.is_none() || self.ip != request.ip) {
            return Some(Mismatch::Ip);
        }
        let same_agent =
            self.agent.os == request.agent.os && self.agent.browser == request.agent.browser;
        (captured.agent && !same_agent).then_some(Mismatch::Agent)
    }
}

/// What of a client is looked at and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capture {
    /// The address.
    pub ip: bool,
    /// The agent.
    pub agent: bool,
}

impl Capture {
    /// Address and agent.
    pub const ALL: Self = Self::new(true, true);

    /// Chooses what to look at.
    #[must_use]
    pub const fn new(ip: bool, agent: bool) -> Self {
        Self { ip, agent }
    }
}

/// In what a request differs from the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// Another operating system or browser.
    Agent,
    /// Another address, or none that could be read.
    Ip,
}

impl Mismatch {
    /// Returns what differs as one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Ip => "ip",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mismatch_table() {
        let client = |ip: &str, os: &str, browser: &str| {
            Client::new(ip.parse().ok(), Agent::new(os, browser))
        };
        let login = client("192.0.2.1", "Linux", "Firefox");
        let no_ip = client("", "Linux", "Firefox");

        let cases = [
            ("same", &login, login.clone(), Capture::ALL, None),
            (
                "v4 in v6 is the same address",
                &login,
                client("::ffff:192.0.2.1", "Linux", "Firefox"),
                Capture::ALL,
                None,
            ),
            (
                "other address",
                &login,
                client("192.0.2.2", "Linux", "Firefox"),
                Capture::ALL,
                Some(Mismatch::Ip),
            ),
            (
                "address unreadable now",
                &login,
                no_ip.clone(),
                Capture::ALL,
                Some(Mismatch::Ip),
            ),
            (
                "address unreadable at login",
                &no_ip,
                login.clone(),
                Capture::ALL,
                Some(Mismatch::Ip),
            ),
            (
                "unreadable both times",
                &no_ip,
                no_ip.clone(),
                Capture::ALL,
                Some(Mismatch::Ip),
            ),
            (
                "address not captured",
                &no_ip,
                login.clone(),
                Capture::new(false, true),
                None,
            ),
            (
                "other system",
                &login,
                client("192.0.2.1", "Windows", "Firefox"),
                Capture::ALL,
                Some(Mismatch::Agent),
            ),
            (
                "other browser",
                &login,
                client("192.0.2.1", "Linux", ""),
                Capture::ALL,
                Some(Mismatch::Agent),
            ),
            (
                "agent not captured",
                &login,
                client("192.0.2.1", "Windows", "Edge"),
                Capture::new(true, false),
                None,
            ),
        ];
        for (name, login, request, captured, expected) in cases {
            assert_eq!(login.mismatch(&request, captured), expected, "{name}");
        }
    }

    #[test]
    fn browser_update_is_no_mismatch() {
        let firefox = |version| {
            let mut agent = Agent::new("Linux", "Firefox");
            agent.version = Some(version);
            Client::new(None, agent)
        };
        let captured = Capture::new(false, true);
        assert_eq!(firefox(134).mismatch(&firefox(135), captured), None);
    }
}
