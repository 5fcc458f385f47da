//! Who sent a request, as far as the request tells.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
    /// Only what is in `captured` is compared, of addresses only their networks if it truncates them.
    /// A missing address is a mismatch, on either side; of the agent the names of system and browser
    /// count, not the version, which changes by itself.
    #[must_use]
    pub fn mismatch(&self, request: &Self, captured: Capture) -> Option<Mismatch> {
        let (login, now) = (captured.ip_of(self.ip), captured.ip_of(request.ip));
        if captured.ip && (login.is_none() || login != now) {
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
    /// Whether only the network of an address is kept.
    pub truncate_ip: bool,
}

impl Capture {
    /// Address and agent, whole.
    pub const ALL: Self = Self::new(true, true);

    /// Chooses what to look at.
    #[must_use]
    pub const fn new(ip: bool, agent: bool) -> Self {
        Self {
            ip,
            agent,
            truncate_ip: false,
        }
    }

    /// Returns what is kept of an address: nothing, all of it, or its network, that is the first 24
    /// bits of IPv4 and the first 48 of IPv6.
    #[must_use]
    pub fn ip_of(self, ip: Option<IpAddr>) -> Option<IpAddr> {
        let ip = ip.filter(|_| self.ip)?.to_canonical();
        Some(if self.truncate_ip { network_of(ip) } else { ip })
    }
}

fn network_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => (ip & Ipv4Addr::new(255, 255, 255, 0)).into(),
        IpAddr::V6(ip) => (ip & Ipv6Addr::new(0xffff, 0xffff, 0xffff, 0, 0, 0, 0, 0)).into(),
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
    fn what_is_kept_of_an_address() {
        let whole = Capture::ALL;
        let network = Capture {
            truncate_ip: true,
            ..whole
        };
        let nothing = Capture {
            ip: false,
            ..network
        };
        let cases = [
            ("whole", whole, "192.0.2.129", "192.0.2.129"),
            ("whole v4 in v6", whole, "::ffff:192.0.2.129", "192.0.2.129"),
            ("/24", network, "192.0.2.129", "192.0.2.0"),
            ("/24 as it is", network, "192.0.2.0", "192.0.2.0"),
            (
                "/24 of v4 in v6",
                network,
                "::ffff:192.0.2.129",
                "192.0.2.0",
            ),
            (
                "/24 of the last",
                network,
                "255.255.255.255",
                "255.255.255.0",
            ),
            ("/48", network, "2001:db8:ffff:ffff::1", "2001:db8:ffff::"),
            ("/48 of the loopback", network, "::1", "::"),
            ("none", network, "", ""),
            ("nothing", nothing, "192.0.2.129", ""),
        ];
        for (name, capture, ip, kept) in cases {
            let kept = kept.parse::<IpAddr>().ok();
            assert_eq!(capture.ip_of(ip.parse().ok()), kept, "{name}");
        }
    }

    #[test]
    fn networks_are_compared_where_networks_are_kept() {
        let network = Capture {
            truncate_ip: true,
            ..Capture::ALL
        };
        let cases = [
            ("same network", "192.0.2.0", "192.0.2.0", None),
            ("whole address from before", "192.0.2.7", "192.0.2.0", None),
            (
                "other network",
                "192.0.2.0",
                "192.0.3.0",
                Some(Mismatch::Ip),
            ),
            ("same /48", "2001:db8:1:2::3", "2001:db8:1::", None),
            (
                "other /48",
                "2001:db8:1::",
                "2001:db8:2::",
                Some(Mismatch::Ip),
            ),
            ("none at login", "", "192.0.2.0", Some(Mismatch::Ip)),
            ("none now", "192.0.2.0", "", Some(Mismatch::Ip)),
            ("none both times", "", "", Some(Mismatch::Ip)),
        ];
        for (name, login, request, expected) in cases {
            let client = |ip: &str| Client::new(ip.parse().ok(), Agent::default());
            let mismatch = client(login).mismatch(&client(request), network);
            assert_eq!(mismatch, expected, "{name}");
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
