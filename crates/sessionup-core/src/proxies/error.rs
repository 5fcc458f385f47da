//! What can be wrong with what proxies are named by.

use super::TrustedProxies;

/// Why proxies cannot be trusted as asked. The application's mistake, found when it starts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustedProxiesError {
    /// A network has everybody in it, so that clients could write their own address.
    #[error(
        "{network} has every address in it, clients' too: \
         name the networks of the proxies, or use hops"
    )]
    Everybody {
        /// What was given.
        network: String,
    },
    /// An address and a prefix that cuts it short: one host or its whole network may be meant.
    #[error(
        "{given} has bits beyond its prefix: write {network} for the network, {host} for the host"
    )]
    HostBits {
        /// What was given.
        given: String,
        /// The address alone.
        host: String,
        /// The network that it is in.
        network: String,
    },
    /// A header that holds a list was named as one that holds one address.
    #[error("{name} holds a list of addresses: choose its own variant of ForwardingHeader")]
    ListHeader {
        /// What was given, in lower case.
        name: String,
    },
    /// A text is no name of a header.
    #[error("{name:?} is no name of a header: write one such as CF-Connecting-IP or X-Real-IP")]
    NoHeaderName {
        /// What was given, or its beginning.
        name: String,
    },
    /// No hop is a proxy.
    #[error("0 hops trust no proxy: leave trusted_proxies out if there is none in front")]
    NoHops,
    /// A text is neither network nor address.
    #[error("{network:?} is no network: write one such as 10.0.0.0/8 or fd00::/8, or an address")]
    NoNetwork {
        /// What was given.
        network: String,
    },
    /// The list is empty.
    #[error("no networks are given: leave trusted_proxies out if no proxy is in front")]
    NoNetworks,
    /// There are more hops than entries are looked at.
    #[error(
        "{hops} hops are more than the {} that are looked at",
        TrustedProxies::MAX_ENTRIES
    )]
    TooManyHops {
        /// What was given.
        hops: usize,
    },
}
