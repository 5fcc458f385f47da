//! A shared cache before an application, by the rules of RFC 9111 that decide whether a response is
//! kept and to whom it is shown again.

use std::collections::HashMap;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, Uri};

use super::support::app::{Reply, send};

pub(crate) struct SharedCache {
    origin: Router,
    /// Seconds since it began, moved by hand.
    now: u64,
    kept: HashMap<Uri, Vec<Kept>>,
    pub hits: u32,
}

/// A response, and the fields of the request that it varies by.
struct Kept {
    selected: Vec<(String, Vec<Vec<u8>>)>,
    stale_at: u64,
    headers: HeaderMap,
    body: String,
}

impl SharedCache {
    pub(crate) fn new(origin: Router) -> Self {
        Self {
            origin,
            now: 0,
            kept: HashMap::new(),
            hits: 0,
        }
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now += seconds;
    }

    /// Answers from what is kept, or asks the origin and keeps the answer if it may.
    pub(crate) async fn get(&mut self, request: http::request::Builder) -> Reply {
        let request = request.body(Body::empty()).unwrap();
        assert_eq!(request.method(), Method::GET, "others are not cached");
        let (uri, asked) = (request.uri().clone(), request.headers().clone());
        if let Some(reply) = self.answer(&uri, &asked) {
            self.hits += 1;
            return reply;
        }
        let reply = send(&self.origin, request).await;
        if let Some(kept) = self.keep(&asked, &reply) {
            self.kept.entry(uri).or_default().push(kept);
        }
        reply
    }

    /// Passes a request of another method on.
    pub(crate) async fn post(&self, request: Request<Body>) -> Reply {
        send(&self.origin, request).await
    }

    /// RFC 9111 §4: same address, every field that the response varies by the same, and fresh.
    fn answer(&self, uri: &Uri, asked: &HeaderMap) -> Option<Reply> {
        let matches = |kept: &&Kept| {
            let is_selected =
                |(name, values): &(String, Vec<Vec<u8>>)| fields(asked, name) == *values;
            kept.stale_at > self.now && kept.selected.iter().all(is_selected)
        };
        let kept = self.kept.get(uri)?.iter().find(matches)?;
        Some(Reply {
            status: http::StatusCode::OK,
            headers: kept.headers.clone(),
            body: kept.body.clone(),
        })
    }

    /// RFC 9111 §3 for a shared cache: neither `no-store` nor `private`, a lifetime of its own, and
    /// §4.1: what varies by everything fits no later request. `Set-Cookie` stops nobody (§7.3).
    fn keep(&self, asked: &HeaderMap, reply: &Reply) -> Option<Kept> {
        let directives = list(&reply.headers, "cache-control");
        let has = |name: &str| directives.iter().any(|directive| directive == name);
        let seconds = |name: &str| {
            let value = directives.iter().find_map(|d| d.strip_prefix(name));
            value.and_then(|value| value.parse::<u64>().ok())
        };
        let varies = list(&reply.headers, "vary");
        let is_kept_out = has("no-store") || has("private") || has("no-cache");
        if reply.status != 200 || is_kept_out || varies.iter().any(|name| name == "*") {
            return None;
        }
        let lifetime = seconds("s-maxage=").or_else(|| seconds("max-age="))?;
        let selected = varies.into_iter().map(|name| {
            let values = fields(asked, &name);
            (name, values)
        });
        Some(Kept {
            selected: selected.collect(),
            stale_at: self.now + lifetime,
            headers: reply.headers.clone(),
            body: reply.body.clone(),
        })
    }
}

fn fields(headers: &HeaderMap, name: &str) -> Vec<Vec<u8>> {
    let values = headers.get_all(name).iter();
    values.map(|value| value.as_bytes().to_vec()).collect()
}

/// The members of a list in lower case.
fn list(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = headers.get_all(name).iter();
    let members = values.flat_map(|value| value.to_str().unwrap().split(','));
    members
        .map(|member| member.trim().to_ascii_lowercase())
        .collect()
}

#[tokio::test]
async fn the_rules() {
    let cases = [
        ("no lifetime", "", "", false, false),
        ("lifetime", "max-age=60", "", true, true),
        ("public", "public, max-age=60", "", true, true),
        (
            "shared lifetime counts",
            "max-age=60, s-maxage=0",
            "",
            false,
            false,
        ),
        ("no-store", "public, max-age=60, no-store", "", false, false),
        ("private", "private, max-age=60", "", false, false),
        ("varies by everything", "max-age=60", "*", false, false),
        ("varies by cookie", "max-age=60", "Cookie", true, false),
        ("varies by another", "max-age=60", "Accept", true, true),
        (
            "varies by both",
            "max-age=60",
            "Accept, COOKIE",
            true,
            false,
        ),
    ];
    for (name, control, vary, same_user, other_user) in cases {
        let headers = [("cache-control", control), ("vary", vary)];
        let route = axum::routing::get(async move || (headers, "page"));
        let origin = Router::new().route("/", route);
        let get = |cookie| Request::get("/").header("cookie", cookie);
        for (cookie, expected) in [("id=ann", same_user), ("id=bob", other_user)] {
            let mut cache = SharedCache::new(origin.clone());
            cache.get(get("id=ann")).await;
            cache.get(get(cookie)).await;
            assert_eq!(cache.hits == 1, expected, "{name}, {cookie}");
            cache.pass(60);
            cache.get(get(cookie)).await;
            assert_eq!(cache.hits == 1, expected, "{name}, {cookie}, stale");
        }
    }
}
