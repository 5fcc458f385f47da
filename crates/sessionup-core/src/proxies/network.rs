//! Reading a network as an administrator writes it.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::TrustedProxiesError;

/// How many bits of an IPv6 address come before an IPv4 address that is inside it.
const MAPPED_BITS: u8 = 96;

/// Reads a network, or an address as the network of one host.
pub(super) fn parse(given: &str) -> Result<IpNet, TrustedProxiesError> {
    let network = if let Ok(address) = given.parse::<IpAddr>() {
        IpNet::from(address)
    } else {
        given.parse().map_err(|_| TrustedProxiesError::NoNetwork {
            network: given.to_owned(),
        })?
    };
    if network.addr() != network.network() {
        return Err(TrustedProxiesError::HostBits {
            given: given.to_owned(),
            host: network.addr().to_string(),
            network: network.trunc().to_string(),
        });
    }
    let network = canonical(network);
    if network.prefix_len() == 0 {
        return Err(TrustedProxiesError::Everybody {
            network: given.to_owned(),
        });
    }
    Ok(network)
}

/// Turns a network of IPv4 addresses inside IPv6 into one of IPv4, as addresses are before they are
/// compared.
fn canonical(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V4(_) => None,
        IpNet::V6(network) => network.addr().to_ipv4_mapped().and_then(|address| {
            let prefix = network.prefix_len().checked_sub(MAPPED_BITS)?;
            Ipv4Net::new(address, prefix).ok()
        }),
    };
    mapped.map_or(network, IpNet::V4)
}
