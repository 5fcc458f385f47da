//! Building a manager, with defaults and their reasons.

use std::sync::Arc;
use std::time::Duration;

use crate::agent::AgentParser;
use crate::cookie::SameSite;
use crate::events::Log;
use crate::manager::config::Options;
use crate::manager::{ConfigError, Inner, Manager, OnMismatch, OnReuse};
use crate::store::{DynStore, SessionLimit};
use crate::watermark::Steady;
use crate::{Agent, Clock, Kind, OsRandom, Random, SystemClock, TrustedProxies};

/// Builds a [`Manager`]. Everything has a default; what contradicts itself is an error of
/// [`build`](ManagerBuilder::build), never of a request.
///
/// ```
/// use std::time::Duration;
/// use sessionup_core::{Manager, MemoryStore, SameSite};
///
/// let manager = Manager::builder(MemoryStore::new())
///     .cookie_name("__Host-session")
///     .same_site(SameSite::Lax)
///     .expires_in(Duration::from_secs(14 * 24 * 60 * 60))
///     .idle_timeout(Duration::from_secs(24 * 60 * 60))
///     .build()?;
/// # Ok::<(), sessionup_core::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before `build`"]
pub struct ManagerBuilder {
    store: Arc<dyn DynStore>,
    clock: Arc<Steady>,
    random: Arc<dyn Random>,
    log: Arc<Log>,
    options: Options,
}

impl ManagerBuilder {
    pub(super) fn new(store: Arc<dyn DynStore>) -> Self {
        Self {
            store,
            clock: Arc::new(Steady::new(Arc::new(SystemClock))),
            random: Arc::new(OsRandom),
            log: Arc::default(),
            options: Options::default(),
        }
    }

    pub(super) fn derived(manager: &Manager) -> Self {
        let Inner {
            store,
            clock,
            random,
            log,
            options,
            ..
        } = &*manager.inner;
        Self {
            store: Arc::clone(store),
            clock: Arc::clone(clock),
            random: Arc::clone(random),
            log: Arc::clone(log),
            options: options.clone(),
        }
    }

    /// Names the cookie. Defaults to `__Host-id`, or to `id` with
    /// [`insecure_http`](Self::insecure_http).
    ///
    /// The prefix `__Host-` makes browsers refuse a cookie of this name from a subdomain or over
    /// plain HTTP; the rest of the name gives nothing away. Two managers on one host need two names,
    /// and if they share a store, sessions of two kinds, see [`kind`](Self::kind).
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.options.cookie.name = Some(name.into());
        self
    }

    /// Chooses the kind of the sessions that the manager makes and serves. Defaults to
    /// [`Kind::USER`].
    ///
    /// Managers with different cookies over one store need different kinds: the client chooses the
    /// cookie in which it sends a token, and only its kind says what the token is good for. Two
    /// cookie names with one kind are [`ConfigError::CookieNames`].
    ///
    /// A login in two steps, whose first half is worth nothing as a session (ASVS 5.0 6.3.3):
    ///
    /// ```
    /// use std::time::Duration;
    /// use sessionup_core::{Kind, Manager, MemoryStore};
    ///
    /// let sessions = Manager::builder(MemoryStore::new()).build()?;
    /// let half = sessions
    ///     .derive()
    ///     .kind(Kind::LOGIN_ATTEMPT)
    ///     .cookie_name("__Host-login")
    ///     .lifetime(Duration::from_secs(600))
    ///     .build()?;
    /// # let _ = half;
    /// # Ok::<(), sessionup_core::ConfigError>(())
    /// ```
    pub fn kind(mut self, kind: Kind) -> Self {
        self.options.kind = kind;
        self
    }

    /// Shares the cookie with a domain and all its subdomains. Defaults to the host alone.
    ///
    /// Needs a [`cookie_name`](Self::cookie_name) without `__Host-`. Every subdomain can then read
    /// the token, and plant one of its own.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.options.cookie.domain = Some(domain.into());
        self
    }

    /// Limits the cookie to paths that begin so. Defaults to `/`.
    ///
    /// Another path needs a [`cookie_name`](Self::cookie_name) without `__Host-`. It keeps nobody
    /// out: pages of one host can read each other.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.options.cookie.path = path.into();
        self
    }

    /// Sends the cookie over plain HTTP too. Off by default: the cookie is `Secure`.
    ///
    /// Whoever listens on the network is then logged in as the user.
    ///
    /// Chromium and Firefox keep a `Secure` cookie from `http://localhost` and send it back, so
    /// development with them does not need this. Other clients take the cookie at the login and do not
    /// send it back, which looks like a login that is forgotten at once: Safari, Python's requests, an
    /// emulator, a phone in the LAN, and any browser at `http://0.0.0.0` or at the name of a machine.
    /// Call this in builds for them, and never in production.
    pub fn insecure_http(mut self) -> Self {
        self.options.cookie.secure = false;
        self
    }

    /// Lets scripts of the page read the token. Off by default: the cookie is `HttpOnly`.
    ///
    /// A single injected script can then carry the login away.
    pub fn insecure_script_access(mut self) -> Self {
        self.options.cookie.http_only = false;
        self
    }

    /// Chooses when other sites' requests bring the cookie. Defaults to [`SameSite::Strict`]:
    /// never. With [`SameSite::Lax`] a user who follows a link from elsewhere arrives logged in.
    ///
    /// A login at another site (OAuth, SAML, payment) ends in a redirect from there: with `Strict` the
    /// page after it has no session, although the login succeeded. Use `Lax`, or let the callback
    /// answer with a page of your own that leads on.
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.options.cookie.same_site = same_site;
        self
    }

    /// Keeps a separate cookie for each site that embeds this one (CHIPS). Off by default.
    pub fn partitioned(mut self) -> Self {
        self.options.cookie.partitioned = true;
        self
    }

    /// Ends sessions so long after login, and lets browsers keep the cookie for as long.
    ///
    /// Unset by default: the cookie goes when the browser closes, and the session ends after
    /// [`lifetime`](Self::lifetime). Browsers keep no cookie longer than 400 days.
    pub fn expires_in(mut self, expires_in: Duration) -> Self {
        self.options.lifetime = expires_in;
        self.options.persistent = true;
        self
    }

    /// Ends sessions so long after login, whatever happens in between; the cookie goes when the
    /// browser closes. Defaults to 24 hours (the limit of NIST SP 800-63B for AAL2).
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.options.lifetime = lifetime;
        self.options.persistent = false;
        self
    }

    /// Ends sessions that were unused for so long. Unset by default, as in the original; NIST SP
    /// 800-63B asks for an hour at AAL2.
    pub fn idle_timeout(mut self, idle_timeout: Duration) -> Self {
        self.options.idle_timeout = Some(idle_timeout);
        self
    }

    /// Records the use of a session at most once in so long. Defaults to one minute, or to a
    /// quarter of the idle timeout if that is less.
    pub fn touch_interval(mut self, touch_interval: Duration) -> Self {
        self.options.touch_interval = Some(touch_interval);
        self
    }

    /// Gives a session a new token so often, along with the response to a request. Off by default.
    ///
    /// The old token is accepted until the new one is used, for the response that brings it may be
    /// lost, and [`renewal_grace`](Self::renewal_grace) longer, for requests that were under way.
    /// From then on its use is noticed, see [`on_reuse`](Self::on_reuse): of a user and a thief with
    /// the same token, whoever comes second is found out. Not found out is a thief who is given the
    /// new token and never uses it.
    ///
    /// A renewal is a durable write, and the response that carries it is not cached. The OWASP
    /// Session Management Cheat Sheet calls this the renewal timeout.
    pub fn renew_every(mut self, renew_every: Duration) -> Self {
        self.options.renew_every = Some(renew_every);
        self
    }

    /// Chooses how long after a renewal requests with the old token are ordinary. Defaults to 10
    /// seconds.
    ///
    /// After a renewal by time the old token is accepted for so long after the first use of the new
    /// one. After [`Sessions::renew`](crate::Sessions::renew) the old token is refused at once, and
    /// this is how long such a refusal counts as a request that was under way, not as theft.
    pub fn renewal_grace(mut self, renewal_grace: Duration) -> Self {
        self.options.renewal_grace = renewal_grace;
        self
    }

    /// Chooses what follows from the use of a token after it was replaced and after the grace: the
    /// token was stolen, or the owner's browser is the thief's victim now. Defaults to
    /// [`OnReuse::Report`].
    pub fn on_reuse(mut self, on_reuse: OnReuse) -> Self {
        self.options.on_reuse = on_reuse;
        self
    }

    /// Waits so long for an answer of the store. Defaults to 2 seconds.
    ///
    /// Then the request is answered as by a store that failed: 503. What it asked the store to write
    /// may happen nevertheless ([`StoreError::OutcomeUnknown`](crate::StoreError::OutcomeUnknown)).
    /// Raise it where the store is slow, as on a busy disk.
    pub fn store_timeout(mut self, store_timeout: Duration) -> Self {
        self.options.store_timeout = store_timeout;
        self
    }

    /// Chooses whether the address of a login is kept. Defaults to `true`.
    ///
    /// The first login without an address is a line of the log, with what may be missing.
    pub fn with_ip(mut self, with_ip: bool) -> Self {
        self.options.capture.ip = with_ip;
        self
    }

    /// Keeps of an address only its network: the first 24 bits of IPv4, the first 48 of IPv6. Off
    /// by default: all of it.
    ///
    /// A network tells less of a person and still labels a device (ASVS 5.0 14.2.7).
    /// [`validate`](Self::validate) then compares networks, also with sessions that hold a whole
    /// address from before. A session that holds a network fits no whole address, should this be
    /// taken back.
    ///
    /// ```
    /// # use sessionup_core::{Manager, MemoryStore};
    /// let manager = Manager::builder(MemoryStore::new()).truncate_ip().build()?;
    /// # Ok::<(), sessionup_core::ConfigError>(())
    /// ```
    pub fn truncate_ip(mut self) -> Self {
        self.options.capture.truncate_ip = true;
        self
    }

    /// Takes clients' addresses from a header that proxies write. Unset by default: the address is
    /// that of the socket's other end, and no header is read.
    ///
    /// Without it, behind a proxy, every session has the proxy's address. Trust the proxies and nobody
    /// else: whoever is trusted can claim any address (ASVS 5.0 4.1.3). [`TrustedProxies`] has the
    /// rules, and [`TrustedProxies::client_ip`] what comes out when something is missing.
    ///
    /// Behind nginx on the same host, which has
    /// `proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;`:
    ///
    /// ```
    /// use sessionup_core::{Manager, MemoryStore, TrustedProxies};
    ///
    /// let nginx = TrustedProxies::networks(["127.0.0.1", "::1"])?;
    /// let manager = Manager::builder(MemoryStore::new()).trusted_proxies(nginx).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Behind two hops whose addresses change, such as a content delivery network and a load
    /// balancer, where nothing but the balancer can connect:
    ///
    /// ```
    /// # use sessionup_core::{Manager, MemoryStore, TrustedProxies};
    /// let proxies = TrustedProxies::hops(2)?;
    /// let manager = Manager::builder(MemoryStore::new()).trusted_proxies(proxies).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Behind a content delivery network that tells the address in a header of its own:
    ///
    /// ```
    /// use sessionup_core::{ForwardingHeader, Manager, MemoryStore, TrustedProxies};
    ///
    /// let header = ForwardingHeader::single("CF-Connecting-IP")?;
    /// let network = TrustedProxies::networks(["198.51.100.0/24"])?.header(header);
    /// let manager = Manager::builder(MemoryStore::new()).trusted_proxies(network).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.options.trusted_proxies = Some(proxies);
        self
    }

    /// Chooses whether system and browser of a login are kept. Defaults to `true`.
    pub fn with_agent(mut self, with_agent: bool) -> Self {
        self.options.capture.agent = with_agent;
        self
    }

    /// Reads `User-Agent` headers in another way. Defaults to [`Agent::parse`].
    ///
    /// The parser is given what the client sent, up to [`Agent::MAX_HEADER_BYTES`], which may end
    /// within a character or be no text at all. It runs when the client of a request is first asked
    /// for, in the request's own task: it must be quick and must not panic. A request without the
    /// header has no agent, and the parser is not asked. Names that it returns are cut to
    /// [`Agent::MAX_NAME_BYTES`]; unlike those of the default they may hold what the client wrote.
    ///
    /// ```
    /// use sessionup_core::{Agent, Manager, MemoryStore};
    ///
    /// let manager = Manager::builder(MemoryStore::new())
    ///     .agent_parser(|header| match header.strip_prefix(b"OurApp/") {
    ///         Some(_) => Agent::new("", "Our app"),
    ///         None => Agent::parse(header),
    ///     })
    ///     .build()?;
    /// # Ok::<(), sessionup_core::ConfigError>(())
    /// ```
    pub fn agent_parser(mut self, parser: impl Fn(&[u8]) -> Agent + Send + Sync + 'static) -> Self {
        self.options.agent_parser = AgentParser::new(parser);
        self
    }

    /// Compares address and agent of each request with those that logged in. Off by default.
    ///
    /// What is not captured is not compared. An address that cannot be told is a mismatch.
    pub fn validate(mut self, on_mismatch: OnMismatch) -> Self {
        self.options.on_mismatch = on_mismatch;
        self
    }

    /// Limits how many sessions of the manager's [kind](Self::kind) a user may have at once.
    /// Defaults to 100; one more ends the session that was unused for longest.
    ///
    /// Without a limit one account can fill the store, and everything that reads a user's sessions
    /// takes as long as that account has sessions.
    pub fn limit(mut self, limit: SessionLimit) -> Self {
        self.options.limit = Some(limit);
        self
    }

    /// Lets a user have any number of sessions, see [`limit`](Self::limit).
    pub fn no_limit(mut self) -> Self {
        self.options.limit = None;
        self
    }

    /// Honours tokens that Go's sessionup issued and whose sessions were imported. Off by default.
    ///
    /// Such a token has no form of its own, so with this on any cookie value of 16 to 4096 bytes is
    /// looked up. New sessions never get one; [`Sessions::renew`](crate::Sessions::renew) replaces
    /// it by one of ours.
    pub fn accept_imported_tokens(mut self) -> Self {
        self.options.accept_imported = true;
        self
    }

    /// Writes the user's key and the client's address to the log. Off by default: lines name sessions
    /// by their ids.
    ///
    /// Both are personal data. Lines that know them have the fields `user`, in quotes and with what
    /// does not print escaped, and `ip`, as far as [`with_ip`](Self::with_ip) and
    /// [`truncate_ip`](Self::truncate_ip) keep addresses. Receivers of
    /// [`events`](crate::Manager::events) are always told both.
    ///
    /// ```
    /// # use sessionup_core::{Manager, MemoryStore};
    /// let manager = Manager::builder(MemoryStore::new()).log_users(true).build()?;
    /// # Ok::<(), sessionup_core::ConfigError>(())
    /// ```
    pub fn log_users(mut self, log_users: bool) -> Self {
        self.options.log_users = log_users;
        self
    }

    /// Takes the time from elsewhere. Defaults to [`SystemClock`].
    ///
    /// All that look at a clock for one store must look at the same one: managers, and the store's
    /// [`Cleanup`](crate::Cleanup). What becomes of a clock that steps, back or ahead, is said at
    /// [`Watermark`](crate::store::Watermark); that it jumped is an
    /// [`Event::ClockJumped`](crate::Event::ClockJumped).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(Steady::new(Arc::new(clock)));
        self
    }

    /// Takes the secrets of tokens from elsewhere. Defaults to [`OsRandom`]; anything else is for
    /// tests.
    pub fn insecure_random(mut self, random: impl Random) -> Self {
        self.random = Arc::new(random);
        self
    }

    /// Checks the settings and builds the manager.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the settings that contradict each other.
    pub fn build(self) -> Result<Manager, ConfigError> {
        let Self {
            store,
            clock,
            random,
            log,
            options,
        } = self;
        let config = options.build()?;
        let cookie_name = &config.cookie.name;
        let taken = store
            .shared_dyn()
            .take_cookie_name(&config.kind, cookie_name);
        let cookie_name = taken.map_err(|other| ConfigError::CookieNames {
            kind: config.kind.to_string(),
            cookie_name: cookie_name.clone(),
            other,
        })?;
        if !options.cookie.secure {
            tracing::warn!(
                target: "sessionup",
                cookie = config.cookie.name,
                "the session cookie is sent over plain HTTP too"
            );
        }
        Ok(Manager {
            inner: Arc::new(Inner {
                store,
                clock,
                random,
                log,
                options,
                config,
                _cookie_name: cookie_name,
            }),
        })
    }
}
