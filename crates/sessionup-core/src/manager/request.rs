//! What a request brings: a cookie, and a client.

use std::net::IpAddr;
use std::sync::OnceLock;

use crate::agent::AgentParser;
use crate::client::Client;
use crate::manager::Config;
use crate::{Agent, Credential, Refusal, Token};

/// Who sent a request, as the connection and trusted proxies tell.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Peer<'a> {
    /// The address of the socket's other end, or what
    /// [`TrustedProxies::client_ip`](crate::TrustedProxies::client_ip) makes of it if there are
    /// [trusted proxies](crate::Manager::trusted_proxies).
    pub ip: Option<IpAddr>,
    /// The value of the `User-Agent` field; may be anything.
    pub user_agent: Option<&'a [u8]>,
}

impl<'a> Peer<'a> {
    /// Puts a peer together.
    #[must_use]
    pub const fn new(ip: Option<IpAddr>, user_agent: Option<&'a [u8]>) -> Self {
        Self { ip, user_agent }
    }
}

/// The client of a request, worked out when it is asked for: most requests never ask.
#[derive(Debug)]
pub(crate) struct LazyClient {
    ip: Option<IpAddr>,
    user_agent: Box<[u8]>,
    agent_parser: AgentParser,
    client: OnceLock<Client>,
}

impl LazyClient {
    /// Keeps of a peer what is captured, within the bound of the parser.
    pub(crate) fn new(peer: Peer<'_>, config: &Config) -> Self {
        let capture = config.capture;
        let user_agent = peer
            .user_agent
            .filter(|_| capture.agent)
            .unwrap_or_default();
        let bounded = user_agent.get(..Agent::MAX_HEADER_BYTES);
        Self {
            ip: capture.ip_of(peer.ip),
            user_agent: bounded.unwrap_or(user_agent).into(),
            agent_parser: config.agent_parser.clone(),
            client: OnceLock::new(),
        }
    }

    /// Returns the address, without working out the agent.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.ip.map(|ip| ip.to_canonical())
    }

    pub(crate) fn get(&self) -> &Client {
        self.client
            .get_or_init(|| Client::new(self.ip, self.agent_parser.parse(&self.user_agent)))
    }
}

/// What a request brings to prove a session.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Presented {
    /// Nothing that could be looked up.
    Nothing(Refusal),
    /// What its cookie may stand for, in the order to try.
    Credentials {
        native: Option<Credential>,
        imported: Option<Credential>,
    },
}

impl Presented {
    pub(crate) fn of_cookie(value: &[u8], config: &Config) -> Self {
        let native = Token::parse(value).map(|token| token.credential(&config.kind));
        let imported = if config.accept_imported {
            Credential::of_imported(value)
        } else {
            None
        };
        if native.is_none() && imported.is_none() {
            Self::Nothing(Refusal::Malformed)
        } else {
            Self::Credentials { native, imported }
        }
    }
}
