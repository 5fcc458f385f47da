//! Reading the header that trusted proxies write.

use std::net::{IpAddr, Ipv4Addr};

use sessionup_core::{ForwardingHeader, TrustedProxies};

const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

/// Whatever a client writes, its address is the one that the proxy saw; each line of the input is a
/// line of the header.
pub fn forwarding(input: &[u8]) {
    for header in [ForwardingHeader::XForwardedFor, ForwardingHeader::Forwarded] {
        let appended: &[u8] = match &header {
            ForwardingHeader::Forwarded => b"for=198.51.100.7;proto=https",
            _ => b"198.51.100.7",
        };
        for proxies in proxies() {
            let proxies = proxies.header(header.clone());
            let sent: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();

            let alone = proxies.client_ip(Some(PROXY), sent.iter().copied());
            let again = proxies.client_ip(Some(PROXY), sent.iter().copied());
            assert_eq!(alone, again, "twice");

            let own_line = sent.iter().copied().chain([appended]);
            let seen: Vec<&[u8]> = own_line.collect();
            let client = proxies.client_ip(Some(PROXY), seen.iter().copied());
            assert_eq!(client, Some(CLIENT), "a line of its own, {header:?}");

            let mut same_line = sent;
            let last = [same_line.pop().unwrap_or_default(), b", ", appended].concat();
            same_line.push(&last);
            let client = proxies.client_ip(Some(PROXY), same_line.iter().copied());
            assert_eq!(client, Some(CLIENT), "in the client's line, {header:?}");
        }
        let networks = networks().header(header.clone());
        let lines = input.split(|byte| *byte == b'\n').collect::<Vec<_>>();
        let peer = networks.client_ip(Some(STRANGER), lines.iter().copied());
        assert_eq!(peer, Some(STRANGER), "from somebody else's machine");
    }
    single(input);
}

/// A header with one address is believed only if it is there once.
fn single(input: &[u8]) {
    let header = ForwardingHeader::single("X-Real-IP").expect("a name");
    let sent: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    for proxies in proxies() {
        let proxies = proxies.header(header.clone());
        let appended = sent.iter().copied().chain([&b"198.51.100.7"[..]]);
        let seen: Vec<&[u8]> = appended.collect();
        assert_eq!(proxies.client_ip(Some(PROXY), seen), None, "twice");
        let client = proxies.client_ip(Some(PROXY), [&b"198.51.100.7"[..]]);
        assert_eq!(client, Some(CLIENT), "in place of what was sent");
    }
    let peer = networks().header(header).client_ip(Some(STRANGER), sent);
    assert_eq!(peer, Some(STRANGER), "from somebody else's machine");
}

fn networks() -> TrustedProxies {
    TrustedProxies::networks(["10.0.0.0/8"]).expect("a network")
}

fn proxies() -> [TrustedProxies; 2] {
    [networks(), TrustedProxies::hops(1).expect("one hop")]
}
