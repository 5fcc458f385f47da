//! Nothing that can be printed or stored holds a token.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod support;

use std::collections::HashSet;
use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use http::header::COOKIE;
use http::{Request, Response};
use redb::backends::InMemoryBackend;
use redb::{Database, StorageBackend};
use sessionup::cookie::find;
use sessionup::{
    Change, Cleanup, CleanupOptions, CreateOptions, Error, HttpError, IntoUserKey, Kind, Manager,
    MemoryStore, Peer, RandomError, Refusal, Rejection, SessionLayers, Sessions, Store, StoreError,
    StoreExt, Token, UserKey,
};
use sessionup_redb::RedbStore;
use support::{COOKIE_NAME, manager, start};
use tower::{Service, ServiceExt, service_fn};

/// What a token could be recognised by, however it was printed.
fn traces(token: &str) -> Vec<(&'static str, String)> {
    let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap();
    let secret = &bytes[16..];
    let list = |bytes: &[u8]| format!("{bytes:?}").trim_matches(['[', ']']).to_owned();
    vec![
        ("text", token[22..].to_owned()),
        ("hexadecimal", HEXLOWER.encode(secret)),
        ("hexadecimal in capitals", HEXUPPER.encode(secret)),
        ("base64", BASE64.encode(secret)),
        ("list of bytes", list(secret)),
        ("list of characters", list(&token.as_bytes()[22..])),
    ]
}

struct Printed {
    traces: Vec<(&'static str, String)>,
    types: usize,
}

impl Printed {
    fn add(&mut self, name: &str, value: &dyn Debug) {
        for text in [format!("{value:?}"), format!("{value:#?}")] {
            let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let text = text.replace(", ]", "]");
            self.check(name, &text);
        }
        self.types += 1;
    }

    fn add_error(&mut self, name: &str, error: &(dyn std::error::Error + 'static)) {
        self.add(name, &error);
        let mut next = Some(error);
        while let Some(error) = next {
            self.check(name, &error.to_string());
            next = error.source();
        }
    }

    fn check(&self, name: &str, text: &str) {
        for (form, trace) in &self.traces {
            assert!(!text.contains(trace), "{name} shows the token as {form}");
        }
    }
}

async fn log_in(manager: &Manager) -> (sessionup_core::Sessions, String) {
    let sessions = manager.sessions([], Peer::default());
    sessions.init("ann").meta("visits", 1).await.unwrap();
    let cookie = sessions.response_cookie().unwrap();
    let token = cookie.expose()[COOKIE_NAME.len() + 1..][..64].to_owned();
    (sessions, token)
}

/// Every public type that is given a token, or what is made of one, or that holds such a type.
#[tokio::test]
async fn debug_and_display_of_every_public_type_hide_the_token() {
    let store = MemoryStore::new();
    let manager = manager(store.clone());
    let (login, token) = log_in(&manager).await;
    let field = format!("{COOKIE_NAME}={token}");
    let mut printed = Printed {
        traces: traces(&token),
        types: 0,
    };

    let parsed = Token::parse(token.as_bytes()).unwrap();
    let credential = parsed.credential(&Kind::USER);
    printed.add("Token", &parsed);
    printed.add("Credential", &credential);
    printed.add("SecretHash", &credential.secret_hash);
    printed.add("Found", &find([field.as_bytes()], COOKIE_NAME));
    printed.add("SetCookie", &login.response_cookie().unwrap());

    let user = UserKey::new("ann").unwrap();
    let record = store.fetch(credential.id, start()).await.unwrap().unwrap();
    printed.add("Record", &record);
    printed.add("Session", &record.session);
    printed.add(
        "Change",
        &Change::renew(credential.secret_hash, credential.secret_hash),
    );
    let replacing = CreateOptions::default().replacing(Some(credential.id));
    printed.add("CreateOptions", &replacing);
    printed.add("MemoryStore", &store);
    printed.add("DynStore", &store.clone().into_dyn());

    let request = manager.sessions([field.as_bytes()], Peer::new(None, Some(b"agent")));
    printed.add("Sessions before", &request);
    let current = request.current().await.unwrap().unwrap();
    printed.add("CurrentSession", &current);
    printed.add(
        "facade CurrentSession",
        &sessionup::CurrentSession::from(current),
    );
    printed.add("list", &request.list().await.unwrap());
    printed.add("Init", &request.init("ann"));
    printed.add("Sessions after", &request);
    printed.add("facade Sessions", &Sessions::from(request.clone()));
    printed.add("Manager", &manager);
    printed.add("ManagerBuilder", &manager.derive());
    let cleanup = Cleanup::start(
        store.clone().into_dyn(),
        CleanupOptions::every(support::minutes(60)),
    );
    printed.add("Cleanup", &cleanup.unwrap());

    let errors: [Error; 7] = [
        Error::NoSession,
        StoreError::DuplicateId.into(),
        StoreError::unavailable("the disk").into(),
        StoreError::Overloaded.into(),
        StoreError::Closed.into(),
        RandomError::new("no entropy").into(),
        // An application that takes the cookie for the user's name is told so without it.
        format!("{token}{}", "x".repeat(256))
            .into_user_key()
            .unwrap_err()
            .into(),
    ];
    for error in errors {
        printed.add_error("Error", &error);
        printed.add_error("HttpError", &HttpError::from(error.clone()));
        printed.add("Rejection", &Rejection::Unavailable(error));
    }
    printed.add("Rejection", &Rejection::Unauthenticated(Refusal::Unknown));
    printed.add_error(
        "InvalidSessionId",
        &token.parse::<sessionup::SessionId>().unwrap_err(),
    );
    assert!(record.session.user_key == user);

    add_layers(&mut printed, &manager, &field).await;
    println!("{} values printed", printed.types);
    assert!(printed.types > 45, "{}", printed.types);
}

async fn add_layers(printed: &mut Printed, manager: &Manager, field: &str) {
    printed.add("PublicLayer", &manager.public());
    printed.add("AuthLayer", &manager.auth());
    let handler = service_fn(async |request: Request<String>| {
        let shown = format!("{request:?}");
        let sessions = request.extensions().get::<Sessions>().unwrap();
        sessions.renew().await.unwrap();
        let mut response = Response::new(shown);
        // So that the response shows what the handle holds, too.
        response.extensions_mut().insert(sessions.clone());
        Ok::<_, std::convert::Infallible>(response)
    });
    let request = Request::get("/")
        .header(COOKIE, field)
        .body(String::new())
        .unwrap();
    let at_once = service_fn(|request: Request<String>| {
        let response = Response::new(format!("{request:?}"));
        std::future::ready(Ok::<_, std::convert::Infallible>(response))
    });
    let public = tower::ServiceBuilder::new().layer(manager.public());
    let mut public = public.service(at_once);
    let future = public.ready().await.unwrap().call(request);
    printed.add("PublicFuture", &future);
    printed.add("Request of public", future.await.unwrap().body());

    let auth = tower::ServiceBuilder::new()
        .layer(manager.public())
        .layer(manager.auth());
    let (_, token) = log_in(manager).await;
    printed.traces.extend(traces(&token));
    let field = format!("{COOKIE_NAME}={token}");
    let mut auth = auth.service(handler);
    let request = Request::get("/")
        .header(COOKIE, field)
        .body(String::new())
        .unwrap();
    printed.add("Public and Auth", &auth);
    let future = auth.ready().await.unwrap().call(request);
    printed.add("AuthFuture", &future);
    let response = future.await.unwrap();
    let new = response.headers()["set-cookie"].to_str().unwrap();
    printed
        .traces
        .extend(traces(&new[COOKIE_NAME.len() + 1..][..64]));
    printed.add("Request", response.body());
    printed.add("Response", &response);
}

/// A disk that can be read when the store is gone.
#[derive(Clone, Debug)]
struct Shared(Arc<InMemoryBackend>);

impl StorageBackend for Shared {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

/// How many bytes of a form must agree to be a find.
const WINDOW: usize = 16;

/// How many of these needles occur in the bytes.
fn found(needles: &HashSet<[u8; WINDOW]>, bytes: &[u8]) -> usize {
    let mut firsts = vec![false; 1 << 16];
    for needle in needles {
        firsts[usize::from(u16::from_le_bytes([needle[0], needle[1]]))] = true;
    }
    let windows = bytes.windows(WINDOW);
    windows
        .filter_map(|window| <&[u8; WINDOW]>::try_from(window).ok())
        .filter(|window| firsts[usize::from(u16::from_le_bytes([window[0], window[1]]))])
        .filter(|window| needles.contains(*window))
        .count()
}

#[tokio::test]
async fn file_of_ten_thousand_sessions_holds_no_token() {
    const SESSIONS: usize = 10_000;
    let disk = Shared(Arc::new(InMemoryBackend::new()));
    let database = Database::builder()
        .create_with_backend(disk.clone())
        .unwrap();
    let database = Arc::new(database);
    let store = RedbStore::builder().on(Arc::clone(&database)).unwrap();
    let manager = manager(store.clone()).derive().no_limit().build().unwrap();
    let mut needles = HashSet::new();
    let mut hashes = HashSet::new();
    let mut tokens = Vec::new();
    while tokens.len() < SESSIONS {
        // At once, so that they share a commit.
        let mut logins = tokio::task::JoinSet::new();
        for _ in 0..1_000 {
            let manager = manager.clone();
            logins.spawn(async move { log_in(&manager).await.1 });
        }
        tokens.extend(logins.join_all().await);
    }
    for token in &tokens {
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap();
        let hex = HEXLOWER.encode(&bytes[16..]);
        for form in [&bytes[16..], &token.as_bytes()[22..], hex.as_bytes()] {
            needles.insert(form[..WINDOW].try_into().unwrap());
        }
        let hash = Token::parse(token.as_bytes())
            .unwrap()
            .credential(&Kind::USER)
            .secret_hash;
        hashes.insert(hash.as_bytes()[..WINDOW].try_into().unwrap());
    }
    store.close().await;
    drop((manager, store, database));

    let mut bytes = vec![0; usize::try_from(disk.len().unwrap()).unwrap()];
    disk.read(0, &mut bytes).unwrap();
    assert_eq!(needles.len(), 3 * SESSIONS);
    let (tokens, kept) = (found(&needles, &bytes), found(&hashes, &bytes));
    println!(
        "{SESSIONS} tokens in 3 forms in {} bytes: {tokens} found",
        bytes.len()
    );
    assert_eq!(tokens, 0);
    assert!(kept >= SESSIONS, "the right place: {kept} hashes");
}
