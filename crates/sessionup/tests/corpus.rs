//! The attack corpus through the layers: what is no token reaches no store, and what a store takes
//! comes back as it was.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod support;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use corpus::{Case, Vars, cases};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use http::header::COOKIE;
use http::{HeaderName, HeaderValue, Method, Request};
use serde_json::Value;
use sessionup::cookie::{Found, find};
use sessionup::{
    Change, CreateOptions, DynStore, HttpError, Manager, MemoryStore, Meta, Peer, Record,
    SecretHash, Session, SessionId, SessionLayers, Sessions, Store, StoreError, StoreExt,
    Timestamp, Token, UserKey,
};
use sessionup_redb::RedbStore;
use support::{COOKIE_NAME, Reply, Switch, manager, send, start};

/// A server on which ann and bob are logged in, behind each of the two layers.
struct Server {
    store: Switch,
    auth: Router,
    public: Router,
    vars: Vars<'static>,
}

impl Server {
    async fn start() -> Self {
        async fn whoami(sessions: Sessions) -> Result<String, HttpError> {
            let session = sessions.current().await?;
            Ok(session.map_or("nobody".into(), |session| session.user_key.to_string()))
        }
        let store = Switch::default();
        let manager = manager(store.clone());
        let token = log_in(&manager, "ann").await;
        let other = log_in(&manager, "bob").await;
        let ann = UserKey::new("ann").unwrap();
        let kept = store.list(&ann, start()).await.unwrap();
        let (id, hash) = (kept[0].session.id, *kept[0].secret_hash.as_bytes());
        let id_and_hash = [&id.as_bytes()[..], &hash[..]].concat();
        let app = Router::new().fallback(any(whoami));
        Self {
            store,
            auth: app.clone().layer(manager.auth()),
            public: app.layer(manager.public()),
            vars: Vars::from([
                ("token", token),
                ("other", other),
                ("handle", id.to_string().into_bytes()),
                ("hash_hex", HEXLOWER.encode(&hash).into_bytes()),
                ("hash_base64", BASE64URL_NOPAD.encode(&hash).into_bytes()),
                (
                    "id_and_hash",
                    BASE64URL_NOPAD.encode(&id_and_hash).into_bytes(),
                ),
            ]),
        }
    }

    /// Sends a request twice and holds both answers against what they should be.
    async fn expect(&self, case: &Case, expected: Expected, request: impl Fn() -> Request<Body>) {
        let calls = self.store.calls();
        let auth = send(&self.auth, request()).await;
        let public = send(&self.public, request()).await;
        let calls = self.store.calls() - calls;
        let user = match expected {
            Expected::Live => {
                assert_eq!(auth.status, 200, "{case}");
                assert_eq!(auth.body, "ann", "{case}");
                "ann"
            }
            Expected::Malformed | Expected::Unknown => {
                assert_eq!(auth.status, 401, "{case}");
                "nobody"
            }
        };
        assert_eq!(public.body, user, "{case}");
        let asked = u32::from(expected != Expected::Malformed);
        assert_eq!(calls, 2 * asked, "{case}: calls of the store");
        for reply in [auth, public] {
            self.expect_nothing_given(case, &reply);
        }
    }

    fn expect_nothing_given(&self, case: &Case, reply: &Reply) {
        assert!(reply.set_cookies().is_empty(), "{case}");
        let told = format!("{:?} {}", reply.headers, reply.body);
        for token in ["token", "other"] {
            let token = std::str::from_utf8(&self.vars[token]).unwrap();
            assert!(!told.contains(&token[22..]), "{case}");
        }
    }

    /// What a request with these `Cookie` fields should be told.
    fn expected(&self, fields: &[Vec<u8>]) -> Expected {
        let found = find(fields.iter().map(Vec::as_slice), COOKIE_NAME);
        match found {
            Found::One(value) if value == self.vars["token"] => Expected::Live,
            Found::One(value) if Token::parse(value).is_some() => Expected::Unknown,
            _ => Expected::Malformed,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    Live,
    Malformed,
    Unknown,
}

async fn log_in(manager: &Manager, user: &str) -> Vec<u8> {
    let sessions = manager.sessions([], Peer::default());
    sessions.init(user).await.unwrap();
    let cookie = sessions.response_cookie().unwrap();
    let token = &cookie.expose()[COOKIE_NAME.len() + 1..][..64];
    token.as_bytes().to_vec()
}

/// A request with these fields, if HTTP can carry them.
fn with_cookies(fields: &[Vec<u8>]) -> Option<impl Fn() -> Request<Body>> {
    let values = fields
        .iter()
        .map(|field| HeaderValue::from_bytes(field).ok());
    let values: Vec<_> = values.collect::<Option<_>>()?;
    Some(move || {
        let mut request = Request::get("/private").body(Body::empty()).unwrap();
        for value in &values {
            request.headers_mut().append(COOKIE, value.clone());
        }
        request
    })
}

#[tokio::test]
async fn cookie_headers() {
    let server = Server::start().await;
    let (mut sent, mut impossible) = (0, 0);
    for case in cases("cookie_header.jsonl", 427) {
        let fields = case.list("fields", &server.vars);
        let Some(request) = with_cookies(&fields) else {
            impossible += 1;
            continue;
        };
        // The core's test of this file holds `find` against what the case says.
        server
            .expect(&case, server.expected(&fields), request)
            .await;
        sent += 1;
    }
    println!("{sent} sent, {impossible} that HTTP cannot carry");
    assert!(sent >= 357, "{sent}");
}

#[tokio::test]
async fn tokens() {
    let server = Server::start().await;
    let (mut sent, mut malformed) = (0, 0);
    for case in cases("token.jsonl", 259) {
        let value = case.bytes("value", &server.vars);
        let is_alone = !value.contains(&b';') && value.trim_ascii() == value;
        let fields = [[COOKIE_NAME.as_bytes(), b"=", &value].concat()];
        let expected = server.expected(&fields);
        let said = match case.text("outcome") {
            "live" => Expected::Live,
            "malformed" => Expected::Malformed,
            _ => Expected::Unknown,
        };
        // Blanks around a value and what follows a semicolon are no part of it.
        assert!(expected == said || !is_alone, "{case}: {expected:?}");
        let Some(request) = with_cookies(&fields) else {
            continue;
        };
        server.expect(&case, expected, request).await;
        sent += 1;
        malformed += u32::from(expected == Expected::Malformed);
    }
    println!("{sent} sent, {malformed} malformed");
    assert!(malformed >= 200, "{malformed}");
}

#[tokio::test]
async fn carriers() {
    let server = Server::start().await;
    for case in cases("carriers.jsonl", 95) {
        case.expect_fields(&["method", "uri", "headers", "body"]);
        let text = |value: &Value| String::from_utf8(case.read(value, &server.vars)).unwrap();
        let method = Method::from_bytes(case.text("method").as_bytes()).unwrap();
        let uri = text(case.value("uri"));
        let request = || {
            let body = case.get("body").map(&text).unwrap_or_default();
            let mut request = Request::new(Body::from(body));
            *request.method_mut() = method.clone();
            *request.uri_mut() = uri.parse().unwrap();
            for field in case.value("headers").as_array().unwrap() {
                let name = HeaderName::from_bytes(field[0].as_str().unwrap().as_bytes()).unwrap();
                let value = HeaderValue::from_str(&text(&field[1])).unwrap();
                request.headers_mut().append(name, value);
            }
            request
        };
        server.expect(&case, Expected::Malformed, request).await;
    }
}

/// Every store there is, with what keeps it alive.
fn stores() -> Vec<(&'static str, Arc<dyn DynStore>, Option<tempfile::TempDir>)> {
    let directory = tempfile::tempdir().unwrap();
    let redb = RedbStore::open(directory.path().join("sessions.redb")).unwrap();
    vec![
        ("memory", MemoryStore::new().into_dyn(), None),
        ("redb", redb.into_dyn(), Some(directory)),
    ]
}

fn record(number: u32, user: UserKey, meta: Meta) -> Record {
    let mut id = [1; 16];
    id[12..].copy_from_slice(&number.to_be_bytes());
    let end = Timestamp::MAX;
    let mut session = Session::new(SessionId::from_bytes(id), user, start(), end);
    session.meta = meta;
    Record::new(session, SecretHash::from_bytes([7; 32]))
}

#[tokio::test]
async fn user_keys_are_kept_apart_by_every_store() {
    let cases = cases("user_key.jsonl", 180);
    let accepted = cases
        .iter()
        .filter(|case| case.text("outcome") == "accepted");
    let users: Vec<_> = accepted
        .map(|case| {
            let key = String::from_utf8(case.bytes("key", &Vars::new())).unwrap();
            (case, UserKey::new(key).unwrap())
        })
        .collect();
    let distinct: std::collections::HashSet<_> = users.iter().map(|(_, user)| user).collect();
    assert_eq!(distinct.len(), users.len(), "a user occurs twice");

    for (name, store, _directory) in stores() {
        let now = start();
        let mut kept = Vec::new();
        for (number, (_, user)) in (0..).zip(&users) {
            let record = record(number, user.clone(), Meta::new());
            let created = store.create_dyn(record.clone(), CreateOptions::default(), now);
            created.await.unwrap();
            kept.push(record);
        }
        for ((case, user), record) in users.iter().zip(&kept) {
            let listed = store.list(user, now).await.unwrap();
            assert_eq!(listed, [Arc::new(record.clone())], "{name} {case}");
        }
        for (n, (case, user)) in users.iter().enumerate() {
            assert_eq!(
                store.delete_user_dyn(user, &[]).await.unwrap().deleted,
                1,
                "{name} {case}"
            );
            if let Some((next, user)) = users.get(n + 1) {
                let left = store.list(user, now).await.unwrap();
                assert_eq!(left.len(), 1, "{name}: {case} took {next} along");
            }
        }
    }
}

#[tokio::test]
async fn metas_come_back_from_every_store_as_they_were() {
    let user = UserKey::new("ann").unwrap();
    let now = start();
    for (name, store, _directory) in stores() {
        for (number, case) in (0..).zip(cases("meta.jsonl", 106)) {
            let Ok(change) = corpus::meta(&case) else {
                assert_eq!(case.text("outcome"), "too-deep", "{case}");
                continue;
            };
            // Set by a change, and where it is accepted also kept from the beginning.
            let empty = record(2 * number, user.clone(), Meta::new());
            let id = empty.session.id;
            let created = store.create_dyn(empty.clone(), CreateOptions::default(), now);
            created.await.unwrap();
            let updated = store
                .update_dyn(id, Change::meta(change.clone()), now)
                .await;
            let after = store.fetch_dyn(id, now).await.unwrap().unwrap();
            if case.text("outcome") != "accepted" {
                assert!(
                    matches!(updated, Err(StoreError::InvalidMeta(_))),
                    "{name} {case}"
                );
                assert_eq!(*after, empty, "{name} {case}");
                continue;
            }
            let mut meta = Meta::new();
            meta.merge(&change).unwrap();
            assert_eq!(after.session.meta, meta, "{name} {case}");
            assert_eq!(updated.unwrap(), Some(after), "{name} {case}");

            let full = record(2 * number + 1, user.clone(), meta);
            let created = store.create_dyn(full.clone(), CreateOptions::default(), now);
            created.await.unwrap();
            let after = store.fetch_dyn(full.session.id, now).await.unwrap();
            assert_eq!(after.as_deref(), Some(&full), "{name} {case}");
        }
    }
}
