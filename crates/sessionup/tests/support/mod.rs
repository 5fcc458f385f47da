//! A browser without a window: it keeps the session's cookie and talks to a router in process.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "shared by test binaries that each use a part of it"
)]

pub mod log;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Path};
use axum::routing::{get, post};
use http::header::{COOKIE, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use sessionup::{
    Change, CreateOptions, Created, Epoch, HttpError, ListOptions, Manager, ManagerBuilder,
    ManualClock, MemoryStore, OthersDeleted, Pruned, Record, RecordPage, SessionId, SessionLayers,
    Sessions, SharedState, Store, StoreError, Timestamp, UserDeleted, UserKey,
};
use tower::ServiceExt;

pub const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
pub const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \
    AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1";

/// What the cookie is called unless a test says otherwise.
pub const COOKIE_NAME: &str = "__Host-id";

pub fn start() -> Timestamp {
    Timestamp::from_millis(1_795_286_345_000)
}

pub fn clock() -> ManualClock {
    ManualClock::at(start())
}

pub fn manager(store: impl Store) -> Manager {
    build(store, &clock(), |builder| builder)
}

pub fn build(
    store: impl Store,
    clock: &ManualClock,
    change: impl FnOnce(ManagerBuilder) -> ManagerBuilder,
) -> Manager {
    let builder = evidence::watch(Manager::builder(store)).clock(clock.clone());
    change(builder).build().unwrap()
}

/// A small application with a route for each action.
pub fn app(manager: &Manager) -> Router {
    async fn login(sessions: Sessions, Path(user): Path<String>) -> Result<String, HttpError> {
        let session = sessions.init(user).meta("permission", "write").await?;
        Ok(session.id.to_string())
    }
    async fn whoami(sessions: Sessions) -> Result<String, HttpError> {
        let session = sessions.current().await?;
        Ok(session.map_or("nobody".into(), |session| session.user_key.to_string()))
    }
    async fn devices(sessions: Sessions) -> Result<axum::Json<serde_json::Value>, HttpError> {
        let list = sessions.list().await?;
        Ok(axum::Json(serde_json::to_value(list).unwrap()))
    }
    async fn logout(sessions: Sessions) -> Result<(), HttpError> {
        Ok(sessions.revoke().await?)
    }
    async fn renew(sessions: Sessions) -> Result<String, HttpError> {
        Ok(sessions.renew().await?.id.to_string())
    }
    async fn revoke(sessions: Sessions, Path(id): Path<String>) -> Result<String, HttpError> {
        let id: SessionId = id.parse().unwrap();
        Ok(sessions.revoke_by_id(id).await?.to_string())
    }
    async fn revoke_other(sessions: Sessions) -> Result<String, HttpError> {
        Ok(sessions.revoke_other().await?.to_string())
    }
    async fn revoke_all(sessions: Sessions) -> Result<String, HttpError> {
        Ok(sessions.revoke_all().await?.to_string())
    }
    async fn revoke_user(
        sessions: Sessions,
        Path(user): Path<String>,
    ) -> Result<String, HttpError> {
        Ok(sessions.revoke_by_user_key(user).await?.to_string())
    }

    Router::new()
        .route("/private", get(whoami))
        .route("/devices", get(devices))
        .route("/renew", post(renew))
        .route_layer(manager.auth())
        .route("/", get(whoami))
        .route("/static", get(|| async { "static" }))
        .route("/open-devices", get(devices))
        .route("/login/{user}", post(login))
        .route("/logout", post(logout))
        .route("/revoke/{id}", post(revoke))
        .route("/revoke-other", post(revoke_other))
        .route("/revoke-all", post(revoke_all))
        .route("/admin/revoke/{user}", post(revoke_user))
        .layer(manager.public())
}

#[derive(Clone)]
pub struct Browser {
    app: Router,
    pub cookie_name: String,
    pub cookie: Option<String>,
    pub agent: String,
    pub ip: Option<IpAddr>,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Reply {
    pub fn set_cookies(&self) -> Vec<&str> {
        let cookies = self.headers.get_all(SET_COOKIE).iter();
        cookies.map(|cookie| cookie.to_str().unwrap()).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Browser {
    pub fn new(app: &Router) -> Self {
        Self {
            app: app.clone(),
            cookie_name: COOKIE_NAME.into(),
            cookie: None,
            agent: FIREFOX.into(),
            ip: Some(IpAddr::from([192, 0, 2, 1])),
        }
    }

    pub fn agent(mut self, agent: &str) -> Self {
        self.agent = agent.into();
        self
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        self.send(Request::get(path)).await
    }

    pub async fn post(&mut self, path: &str) -> Reply {
        self.send(Request::post(path)).await
    }

    /// Logs in and returns the session's id.
    pub async fn login(&mut self, user: &str) -> String {
        let reply = self.post(&format!("/login/{user}")).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    }

    pub async fn user(&mut self) -> String {
        self.get("/").await.body
    }

    pub async fn send(&mut self, request: http::request::Builder) -> Reply {
        let mut request = request.header(USER_AGENT, &self.agent);
        if let Some(value) = &self.cookie {
            request = request.header(COOKIE, format!("{}={value}", self.cookie_name));
        }
        let mut request = request.body(Body::empty()).unwrap();
        if let Some(ip) = self.ip {
            let address = SocketAddr::new(ip, 50_000);
            request.extensions_mut().insert(ConnectInfo(address));
        }
        let reply = send(&self.app, request).await;
        for cookie in reply.set_cookies() {
            let (pair, attributes) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if name == self.cookie_name {
                let is_removal = attributes.contains("Max-Age=0;");
                self.cookie = (!is_removal).then(|| value.to_owned());
            }
        }
        reply
    }
}

pub async fn send(app: &Router, request: Request<Body>) -> Reply {
    let response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let reply = Reply {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    for (name, value) in reply.headers.iter().filter(|(name, _)| *name != SET_COOKIE) {
        evidence::note_written(&[name.as_str().as_bytes(), b": ", value.as_bytes()].concat());
    }
    evidence::note_written(reply.body.as_bytes());
    reply
}

/// A store in memory that counts what it is asked and can be switched off.
#[derive(Clone, Debug, Default)]
pub struct Switch {
    inner: MemoryStore,
    off: Arc<AtomicBool>,
    calls: Arc<AtomicU32>,
    updates: Arc<AtomicU32>,
}

/// What the store says when it is off; must reach no client.
pub const MARKER: &str = "/srv/secret/path: input/output error";

impl Switch {
    pub fn off(&self, off: bool) {
        self.off.store(off, Ordering::SeqCst);
    }

    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }

    pub fn updates(&self) -> u32 {
        self.updates.load(Ordering::SeqCst)
    }

    /// How many records there are, expired ones included.
    pub async fn records(&self) -> u64 {
        self.inner
            .prune(Timestamp::MAX, usize::MAX)
            .await
            .unwrap()
            .deleted
    }

    fn ask(&self) -> Result<(), StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.off.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable(MARKER));
        }
        Ok(())
    }
}

impl Store for Switch {
    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    fn shared(&self) -> &SharedState {
        self.inner.shared()
    }

    async fn create(
        &self,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.ask()?;
        self.inner.create(record, options, now).await
    }

    async fn fetch(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        self.ask()?;
        self.inner.fetch(id, now).await
    }

    async fn list_page(
        &self,
        user: &UserKey,
        options: ListOptions,
        now: Timestamp,
    ) -> Result<RecordPage, StoreError> {
        self.ask()?;
        self.inner.list_page(user, options, now).await
    }

    async fn update(
        &self,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        self.ask()?;
        self.updates.fetch_add(1, Ordering::SeqCst);
        self.inner.update(id, change, now).await
    }

    async fn delete(&self, id: SessionId, owner: Option<&UserKey>) -> Result<bool, StoreError> {
        self.ask()?;
        self.inner.delete(id, owner).await
    }

    async fn delete_user(
        &self,
        user: &UserKey,
        except: &[SessionId],
    ) -> Result<UserDeleted, StoreError> {
        self.ask()?;
        self.inner.delete_user(user, except).await
    }

    async fn delete_others(
        &self,
        user: &UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<OthersDeleted, StoreError> {
        self.ask()?;
        self.inner.delete_others(user, id, change, now).await
    }

    async fn delete_all(&self) -> Result<u64, StoreError> {
        self.ask()?;
        self.inner.delete_all().await
    }

    async fn prune(&self, now: Timestamp, at_most: usize) -> Result<Pruned, StoreError> {
        self.ask()?;
        self.inner.prune(now, at_most).await
    }
}

pub const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}
