//! Every route in every situation, and what must be answered.

use Who::{Ann, Dead, Root, Stranger};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    Ann,
    /// A token that was revoked.
    Dead,
    Root,
    Stranger,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// The page of another site sends it.
    CrossSite,
    /// The store fails.
    Down,
    Usual,
}

/// One request and its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) who: Who,
    pub(crate) when: When,
    pub(crate) method: &'static str,
    /// As OpenAPI writes it.
    pub(crate) route: &'static str,
    pub(crate) path: &'static str,
    pub(crate) status: u16,
    pub(crate) body: &'static str,
}

pub(crate) const BAD_REQUEST: &str = r#"{"error":"bad request"}"#;
pub(crate) const CROSS_SITE: &str = r#"{"error":"cross-site request"}"#;
pub(crate) const FORBIDDEN: &str = r#"{"error":"forbidden"}"#;
pub(crate) const METHOD: &str = r#"{"error":"method not allowed"}"#;
pub(crate) const NOT_FOUND: &str = r#"{"error":"not found"}"#;
pub(crate) const UNAUTHORIZED: &str = r#"{"error":"unauthorized"}"#;
pub(crate) const UNAVAILABLE: &str = r#"{"error":"service unavailable"}"#;

/// Any list of sessions; what is in it is tested by itself.
pub(crate) const LIST: &str = "[…]";

/// Method, route, path for someone who may, status and body.
type Route = (&'static str, &'static str, &'static str, u16, &'static str);

const OWN: [Route; 6] = [
    ("GET", "/sessions", "/sessions", 200, LIST),
    ("DELETE", "/sessions/{id}", "/sessions/{other}", 204, ""),
    ("DELETE", "/sessions/{id}", "/sessions/{current}", 204, ""),
    (
        "POST",
        "/sessions/revoke-other",
        "/sessions/revoke-other",
        200,
        r#"{"revoked":1}"#,
    ),
    (
        "POST",
        "/sessions/revoke-all",
        "/sessions/revoke-all",
        200,
        r#"{"revoked":2}"#,
    ),
    ("POST", "/sessions/logout", "/sessions/logout", 204, ""),
];

const ADMIN: [Route; 3] = [
    (
        "GET",
        "/admin/sessions",
        "/admin/sessions?user_key=ann",
        200,
        LIST,
    ),
    (
        "DELETE",
        "/admin/sessions/{id}",
        "/admin/sessions/{current}",
        204,
        "",
    ),
    (
        "POST",
        "/admin/sessions/revoke-all",
        "/admin/sessions/revoke-all?user_key=ann",
        200,
        r#"{"revoked":2}"#,
    ),
];

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for route in OWN {
        let done = (route.3, route.4);
        let without = match route.1 {
            "/sessions/logout" => done,
            _ => (401, UNAUTHORIZED),
        };
        rows.extend([
            row(route, Ann, When::Usual, done),
            row(route, Stranger, When::Usual, without),
            // A request without a token never asks the store.
            row(route, Stranger, When::Down, without),
            row(route, Dead, When::Usual, without),
            row(route, Dead, When::Down, (503, UNAVAILABLE)),
            row(route, Ann, When::Down, (503, UNAVAILABLE)),
            row(route, Ann, When::CrossSite, from_another_site(route)),
        ]);
    }
    for route in ADMIN {
        rows.extend([
            row(route, Root, When::Usual, (route.3, route.4)),
            row(route, Ann, When::Usual, (403, FORBIDDEN)),
            row(route, Stranger, When::Usual, (401, UNAUTHORIZED)),
            row(route, Dead, When::Usual, (401, UNAUTHORIZED)),
            row(route, Root, When::Down, (503, UNAVAILABLE)),
            row(route, Root, When::CrossSite, from_another_site(route)),
        ]);
    }
    rows.extend(ids());
    rows.extend(keys());
    rows.extend(pages());
    rows
}

fn row(route: Route, who: Who, when: When, (status, body): (u16, &'static str)) -> Row {
    let (method, route, path, ..) = route;
    Row {
        who,
        when,
        method,
        route,
        path,
        status,
        body,
    }
}

/// Reading is free; that another site's page cannot see the answer is up to the browser.
fn from_another_site((method, _, _, status, body): Route) -> (u16, &'static str) {
    match method {
        "GET" => (status, body),
        _ => (403, CROSS_SITE),
    }
}

/// What is no session of one's own.
fn ids() -> Vec<Row> {
    let malformed = [
        "/sessions/x",
        "/sessions/%2e%2e",
        "/sessions/%ff",
        "/sessions/019AB3F0-7C00-7000-8000-000000000001",
        "/sessions/019ab3f07c0070008000000000000001",
        "/sessions/019ab3f0-7c00-7000-8000-000000000001%00",
    ];
    let of_others = ["/sessions/{bobs}", "/sessions/{roots}"];
    let unknown = ["/sessions/019ab3f0-7c00-7000-8000-000000000001"];
    let own = of_others.iter().chain(&unknown).chain(&malformed);
    let own = own.map(|path| (Ann, "/sessions/{id}", *path));
    let admin = [
        "/admin/sessions/019ab3f0-7c00-7000-8000-000000000001",
        "/admin/sessions/x",
        "/admin/sessions/%ff",
    ];
    let admin = admin.map(|path| (Root, "/admin/sessions/{id}", path));
    own.chain(admin)
        .map(|(who, route, path)| Row {
            who,
            when: When::Usual,
            method: "DELETE",
            route,
            path,
            status: 404,
            body: NOT_FOUND,
        })
        .collect()
}

/// Pages of lists.
fn pages() -> Vec<Row> {
    let own = [
        ("?limit=1", 200, LIST),
        ("?limit=1000", 200, LIST),
        ("?after=00000000-0000-0000-0000-000000000000", 200, LIST),
        ("?after=ffffffff-ffff-ffff-ffff-ffffffffffff", 200, "[]"),
        ("?limit=0", 400, BAD_REQUEST),
        ("?limit=1001", 400, BAD_REQUEST),
        ("?limit=many", 400, BAD_REQUEST),
        ("?after=x", 400, BAD_REQUEST),
        ("?after=", 400, BAD_REQUEST),
        ("?limit=1&limit=1", 400, BAD_REQUEST),
    ];
    let admin = [
        ("?user_key=ann&limit=1000", 200, LIST),
        ("?user_key=nobody&limit=1", 200, "[]"),
        ("?user_key=ann&limit=0", 400, BAD_REQUEST),
        ("?user_key=ann&after=x", 400, BAD_REQUEST),
        ("?user_key=nobody&after=x", 400, BAD_REQUEST),
        ("?limit=1", 400, BAD_REQUEST),
    ];
    let own = own.map(|case| (Ann, "/sessions", case));
    let admin = admin.map(|case| (Root, "/admin/sessions", case));
    let cases = own.into_iter().chain(admin);
    cases
        .map(|(who, route, (query, status, body))| Row {
            who,
            when: When::Usual,
            method: "GET",
            route,
            path: format!("{route}{query}").leak(),
            status,
            body,
        })
        .collect()
}

/// Users who are not named, or are nobody.
fn keys() -> Vec<Row> {
    let unclear = [
        "",
        "?user_key=",
        "?user_key=ann&user_key=bob",
        "?user_key=%ff",
        "?user=ann",
    ];
    let nobody = ["?user_key=nobody", "?user_key=a%00b"];
    let mut rows = Vec::new();
    for (method, route, none) in [
        ("GET", "/admin/sessions", "[]"),
        ("POST", "/admin/sessions/revoke-all", r#"{"revoked":0}"#),
    ] {
        let unclear = unclear.map(|query| (query, 400, BAD_REQUEST));
        let nobody = nobody.map(|query| (query, 200, none));
        for (query, status, body) in unclear.into_iter().chain(nobody) {
            rows.push(Row {
                who: Root,
                when: When::Usual,
                method,
                route,
                path: format!("{route}{query}").leak(),
                status,
                body,
            });
        }
    }
    rows
}
