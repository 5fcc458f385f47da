//! Whose word on a client's address is taken: the proxies in front of the application.
//!
//! Any client can send a forwarding header, so none is read before the application says which
//! proxies it stands behind. Each proxy appends the address that it was reached from; what is right
//! of the first address that is no proxy's was written by proxies, what is left of it by anybody.

mod error;
mod lines;
mod network;
mod node;
mod pairs;
mod single;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::num::NonZeroUsize;

use ipnet::IpNet;

pub use self::error::TrustedProxiesError;
use self::lines::Elements;
pub use self::single::SingleHeader;

/// The proxies in front of the application, and the header in which they tell whom they serve.
///
/// Say which proxies there are by their [networks](Self::networks), or [how many](Self::hops) each
/// request passes, and choose the one [header](Self::header) that they write. Give it to
/// [`ManagerBuilder::trusted_proxies`](crate::ManagerBuilder::trusted_proxies).
///
/// ```
/// use sessionup_core::{ForwardingHeader, TrustedProxies};
///
/// let proxies = TrustedProxies::networks(["10.0.0.0/8", "fd00::/8"])?
///     .header(ForwardingHeader::Forwarded);
///
/// let peer = "10.0.0.1".parse().ok();
/// let line: &[u8] = b"for=203.0.113.9, for=192.0.2.1, for=\"[fd00::2]:443\"";
/// // The last entry was written by the peer and names a proxy, which wrote the one before it. What
/// // is left of that was sent by the client.
/// assert_eq!(proxies.client_ip(peer, [line]), "192.0.2.1".parse().ok());
/// # Ok::<(), sessionup_core::TrustedProxiesError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies {
    trust: Trust,
    header: ForwardingHeader,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Trust {
    Networks(Vec<IpNet>),
    /// How many proxies a request passes, the one at the other end of the socket included.
    Hops(NonZeroUsize),
}

/// In which header proxies tell whom they serve.
///
/// One header is read, never two: a client writes the one that the proxies leave alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForwardingHeader {
    /// `Forwarded`, as RFC 7239 defines it; its parameter `for` is read.
    Forwarded,
    /// A header with one address, such as `CF-Connecting-IP` or `X-Real-IP`. Made by
    /// [`single`](Self::single).
    Single(SingleHeader),
    /// `X-Forwarded-For`, which most proxies write.
    #[default]
    XForwardedFor,
}

impl ForwardingHeader {
    /// Names a header that holds the client's address and nothing else, such as `CF-Connecting-IP`
    /// or `X-Real-IP`. The case of the name does not matter.
    ///
    /// The nearest proxy must put it in place of what the client sent: whatever is in it is
    /// believed. The header is read only if the peer is trusted, and only if it is there exactly
    /// once with exactly one address; otherwise the client has no address.
    ///
    /// Behind a content delivery network whose addresses are known:
    ///
    /// ```
    /// use sessionup_core::{ForwardingHeader, TrustedProxies};
    ///
    /// let header = ForwardingHeader::single("CF-Connecting-IP")?;
    /// let proxies = TrustedProxies::networks(["198.51.100.0/24"])?.header(header);
    ///
    /// let network = "198.51.100.7".parse().ok();
    /// let line: &[u8] = b"192.0.2.1";
    /// assert_eq!(proxies.client_ip(network, [line]), "192.0.2.1".parse().ok());
    /// assert_eq!(proxies.client_ip(network, [line, line]), None);
    /// # Ok::<(), sessionup_core::TrustedProxiesError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TrustedProxiesError`] if it is no name of a header, or that of one of the lists, which have
    /// variants of their own.
    pub fn single(name: &str) -> Result<Self, TrustedProxiesError> {
        SingleHeader::new(name).map(Self::Single)
    }

    /// Returns the header's name in lower case.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Single(header) => header.name(),
            Self::XForwardedFor => "x-forwarded-for",
        }
    }
}

impl TrustedProxies {
    /// How many entries of a header are looked at, counted from the right.
    pub const MAX_ENTRIES: usize = 64;

    /// How many bytes of a header are looked at, counted from the right over all its lines.
    pub const MAX_BYTES: usize = 4096;

    /// Trusts proxies by their addresses: networks such as `10.0.0.0/8`, or single addresses.
    ///
    /// Name the proxies and nobody else. Whoever can connect from one of these networks can claim
    /// any address.
    ///
    /// # Errors
    ///
    /// [`TrustedProxiesError`] if a text is no network, a network has an address in it that is not
    /// its first, a network has everybody in it, or there is none.
    pub fn networks<N: AsRef<str>>(
        networks: impl IntoIterator<Item = N>,
    ) -> Result<Self, TrustedProxiesError> {
        let networks = networks
            .into_iter()
            .map(|network| network::parse(network.as_ref()))
            .collect::<Result<Vec<_>, _>>()?;
        if networks.is_empty() {
            return Err(TrustedProxiesError::NoNetworks);
        }
        Ok(Self::new(Trust::Networks(networks)))
    }

    /// Trusts proxies by their number: so many hops nearest to the application, the other end of
    /// the socket included.
    ///
    /// Nothing but the nearest proxy may be able to connect, since nobody's address is looked at;
    /// every request must pass all of them, and each must append one entry. Over a Unix socket, where
    /// the other end has no address, this is the way.
    ///
    /// # Errors
    ///
    /// [`TrustedProxiesError`] for zero, and for more than [`MAX_ENTRIES`](Self::MAX_ENTRIES).
    pub fn hops(hops: usize) -> Result<Self, TrustedProxiesError> {
        let hops = NonZeroUsize::new(hops).ok_or(TrustedProxiesError::NoHops)?;
        if hops.get() > Self::MAX_ENTRIES {
            return Err(TrustedProxiesError::TooManyHops { hops: hops.get() });
        }
        Ok(Self::new(Trust::Hops(hops)))
    }

    fn new(trust: Trust) -> Self {
        Self {
            trust,
            header: ForwardingHeader::default(),
        }
    }

    /// Chooses the header that the proxies write. Defaults to [`ForwardingHeader::XForwardedFor`].
    ///
    /// Every proxy must append to it or put its own in place of it. A
    /// [`single`](ForwardingHeader::single) header must be put in place.
    #[must_use]
    pub fn header(mut self, header: ForwardingHeader) -> Self {
        self.header = header;
        self
    }

    /// Returns the name of the header to hand to [`client_ip`](Self::client_ip), in lower case.
    #[must_use]
    pub fn header_name(&self) -> &str {
        self.header.name()
    }

    /// Tells the client's address from the socket's other end and all lines of the header, in the
    /// order in which they came.
    ///
    /// The lines count as one list. It is walked from the right, past trusted hops; the first
    /// address that is not trusted is the client's.
    ///
    /// | what is found | answer |
    /// |---|---|
    /// | the peer is not trusted | the peer; the header is not looked at |
    /// | the peer is unknown | by networks none, since nobody vouches for the header; by hops the peer is the nearest proxy, whoever it is |
    /// | `unknown`, `_name`, garbage or an empty entry, before the client's | none: a hop could not or would not tell |
    /// | no header, or trusted hops only | by networks the last address that was reached: the request began there |
    /// | no header, or fewer entries than hops | none: the request did not come the way that was configured |
    /// | no client within [`MAX_ENTRIES`](Self::MAX_ENTRIES) and [`MAX_BYTES`](Self::MAX_BYTES) | none |
    ///
    /// A [`single`](ForwardingHeader::single) header is no list. If the peer is trusted, the client's
    /// address is the one in it, whosever that is; none if the header is missing, there more than
    /// once, empty, or holds anything but one address.
    ///
    /// An entry is `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or
    /// `[2001:db8::1]:80`; in `Forwarded` the value of `for`, quoted or not. A port is dropped, and
    /// so is a zone (`fe80::1%eth0`); an IPv4 address inside IPv6 becomes IPv4. In `Forwarded` an
    /// entry without `for`, or with two, tells nothing.
    #[must_use]
    pub fn client_ip<'a, L>(&self, peer: Option<IpAddr>, lines: L) -> Option<IpAddr>
    where
        L: IntoIterator<Item = &'a [u8]>,
        L::IntoIter: DoubleEndedIterator,
    {
        let peer = peer.map(|peer| peer.to_canonical());
        if !self.trusts_peer(peer) {
            return peer;
        }
        let mut lines = lines.into_iter();
        if let ForwardingHeader::Single(_) = &self.header {
            return single::read(&mut lines);
        }
        let mut elements = Elements::new(lines);
        let mut reached = peer;
        let mut hops = 0;
        while let Some(element) = elements.next_back().ok()? {
            let address = self.read(element)?;
            hops += 1;
            if !self.trusts(address, hops) {
                return Some(address);
            }
            reached = Some(address);
        }
        match self.trust {
            Trust::Networks(_) => reached,
            Trust::Hops(_) => None,
        }
    }

    fn trusts_peer(&self, peer: Option<IpAddr>) -> bool {
        match self.trust {
            Trust::Networks(_) => peer.is_some_and(|peer| self.trusts(peer, 0)),
            Trust::Hops(_) => true,
        }
    }

    /// Whether the hop with this address, so many hops beyond the peer, is a proxy.
    fn trusts(&self, address: IpAddr, hops: usize) -> bool {
        match &self.trust {
            Trust::Networks(networks) => networks.iter().any(|network| network.contains(&address)),
            Trust::Hops(proxies) => hops < proxies.get(),
        }
    }

    fn read(&self, element: &[u8]) -> Option<IpAddr> {
        match &self.header {
            ForwardingHeader::Forwarded => node::parse(&pairs::value_of(element, b"for")?),
            ForwardingHeader::Single(_) | ForwardingHeader::XForwardedFor => node::parse(element),
        }
    }
}
