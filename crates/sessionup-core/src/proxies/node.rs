//! Reading the address of one hop in the forms that proxies write.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Reads an address with or without port, brackets and zone, spaces around it allowed.
pub(super) fn parse(node: &[u8]) -> Option<IpAddr> {
    let node = std::str::from_utf8(node).ok()?;
    let node = node.trim_matches([' ', '\t']);
    let address = if let Some(bracketed) = node.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        if !port.is_empty() {
            check_port(port.strip_prefix(':')?)?;
        }
        IpAddr::V6(parse_v6(address)?)
    } else if let Some((address, port)) =
        node.split_once(':').filter(|(_, port)| !port.contains(':'))
    {
        check_port(port)?;
        IpAddr::V4(address.parse().ok()?)
    } else if let Ok(address) = node.parse::<Ipv4Addr>() {
        IpAddr::V4(address)
    } else {
        IpAddr::V6(parse_v6(node)?)
    };
    Some(address.to_canonical())
}

/// Reads an IPv6 address. A zone names a link of the host that wrote it; the address remains.
fn parse_v6(text: &str) -> Option<Ipv6Addr> {
    let address = match text.split_once('%') {
        Some((address, zone)) => Some(address).filter(|_| is_name(zone))?,
        None => text,
    };
    address.parse().ok()
}

/// Checks a port: a number, or a name that begins with an underscore (RFC 7239 §6).
fn check_port(port: &str) -> Option<()> {
    let is_port = match port.strip_prefix('_') {
        Some(name) => is_name(name),
        // Parsing alone would let a sign pass, and any number of zeros.
        None => {
            port.len() <= 5
                && port.bytes().all(|byte| byte.is_ascii_digit())
                && port.parse::<u16>().is_ok()
        }
    };
    is_port.then_some(())
}

fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-%".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}
