//! A browser without a window.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use evidence::percent;
use serde_json::Value;
use ureq::http::{HeaderMap, Request};

pub const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
pub const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \
    AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1";
pub const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 \
    (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
pub const CURL: &str = "curl/8.14.1";

/// What the cookie is called.
pub const COOKIE_NAME: &str = "__Host-id";
/// How long a login lasts, in seconds.
const TWO_WEEKS: u32 = 1_209_600;

/// Everything that servers sent to browsers.
#[derive(Default)]
pub struct Seen {
    /// Every token of every `Set-Cookie`.
    pub tokens: Vec<String>,
    /// Bodies, and header fields but `Set-Cookie`.
    pub sent: Vec<u8>,
}

/// Keeps the session's cookie, follows no redirects, and keeps connections open like a browser, but
/// those on which it sent a body.
pub struct Browser {
    agent: ureq::Agent,
    address: String,
    user_agent: &'static str,
    cookie: Option<String>,
    seen: Arc<Mutex<Seen>>,
}

impl Browser {
    pub fn new(address: &str, user_agent: &'static str) -> Self {
        Self::watched(address, user_agent, &Arc::default())
    }

    /// As [`Browser::new`], and notes what it sees where others do.
    pub fn watched(address: &str, user_agent: &'static str, seen: &Arc<Mutex<Seen>>) -> Self {
        Self {
            agent: agent(),
            address: address.into(),
            user_agent,
            cookie: None,
            seen: Arc::clone(seen),
        }
    }

    /// Returns another browser that sees the same servers and has no cookie.
    pub fn without_cookie(&self) -> Self {
        Self::watched(&self.address, self.user_agent, &self.seen)
    }

    /// Goes on with a server at another address. Cookies do not belong to a port.
    pub fn go_to(&mut self, address: &str) {
        self.agent = agent();
        self.address = address.into();
    }

    /// Returns the value of the session's cookie.
    pub fn cookie(&self) -> Option<String> {
        self.cookie.clone()
    }

    pub fn set_cookie(&mut self, value: Option<String>) {
        self.cookie = value;
    }

    pub fn register(&mut self, name: &str, password: &str) {
        let answer = self.post("/register", &[("name", name), ("password", password)]);
        answer.assert_redirect("/devices?logged-in");
    }

    pub fn log_in(&mut self, name: &str, password: &str) {
        let answer = self.try_to_log_in(name, password);
        answer.assert_redirect("/devices?logged-in");
    }

    pub fn try_to_log_in(&mut self, name: &str, password: &str) -> Answer {
        self.post("/login", &[("name", name), ("password", password)])
    }

    /// Says whether the session is live, by the answer for programs and by the one for people.
    pub fn is_logged_in(&mut self) -> bool {
        let page = self.get("/devices");
        let json = self.get_json("/devices");
        match page.status {
            200 => assert_eq!(json.status, 200),
            303 => {
                page.assert_redirect("/login");
                assert_eq!(json.status, 401);
                assert_eq!(json.text(), r#"{"error":"unauthorized"}"#);
            }
            status => panic!("status {status}: {}", page.text()),
        }
        page.status == 200
    }

    /// Lists the user's sessions.
    pub fn devices(&mut self) -> Vec<Value> {
        let answer = self.get_json("/devices");
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Returns the id of this browser's session.
    pub fn id(&mut self) -> String {
        let devices = self.devices();
        let current: Vec<_> = devices
            .iter()
            .filter(|device| device["current"] == true)
            .collect();
        assert_eq!(current.len(), 1);
        current[0]["id"].as_str().unwrap().into()
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[("accept", "text/html,*/*;q=0.8")], None)
    }

    pub fn get_json(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[("accept", "application/json")], None)
    }

    /// Posts a form of one of the site's own pages.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(path, fields, &[("sec-fetch-site", "same-origin")])
    }

    pub fn post_with(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        self.send(
            "POST",
            path,
            &[&form, headers].concat(),
            Some(encode(fields)),
        )
    }

    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address))
            .header("user-agent", self.user_agent);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", format!("{COOKIE_NAME}={cookie}"));
        }
        let response = match body {
            // Without a word about its length ureq sends an empty body by itself, after the fields.
            None if method == "POST" => self.agent.run(request.body("").unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
            Some(body) => {
                // A server that answers before it has read the body closes the connection then.
                let agent = std::mem::replace(&mut self.agent, agent());
                agent.run(request.body(body).unwrap())
            }
        };
        let (parts, mut body) = response.unwrap().into_parts();
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.read_to_vec().unwrap(),
        };
        self.receive(&answer);
        answer
    }

    fn receive(&mut self, answer: &Answer) {
        let mut seen = self.seen.lock().unwrap();
        seen.sent.extend(&answer.body);
        for (name, value) in &answer.headers {
            if name != "set-cookie" {
                seen.sent.extend(name.as_str().bytes());
                seen.sent.extend(value.as_bytes());
            }
        }
        if let Some(cookie) = answer.cookie() {
            evidence::note_issued(cookie.as_deref().unwrap_or_default());
            seen.tokens.extend(cookie.clone());
            self.cookie = cookie;
        }
    }
}

/// A client that follows no redirects, and takes every status for an answer.
pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .build()
        .into()
}

/// What a server answered.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn assert_redirect(&self, to: &str) {
        assert_eq!(self.status, 303, "{}", self.text());
        assert_eq!(self.header("location"), Some(to));
    }

    /// Returns what becomes of the cookie: a token, its removal, or nothing.
    pub fn cookie(&self) -> Option<Option<String>> {
        let mut fields = self.headers.get_all("set-cookie").iter();
        let field = fields.next()?.to_str().unwrap();
        assert_eq!(fields.next(), None, "one cookie only");
        assert_eq!(self.header("cache-control"), Some("no-store"));
        let (value, attributes) = parse(field);
        let age: u32 = attributes["Max-Age"].parse().unwrap();
        let cookie = if value.is_empty() {
            assert_eq!(age, 0);
            None
        } else {
            assert_eq!(value.len(), 64, "length of the token");
            assert!(age > 0 && age <= TWO_WEEKS, "{age}");
            Some(value.to_owned())
        };
        let expected = BTreeMap::from([
            ("Expires", attributes["Expires"]),
            ("HttpOnly", ""),
            ("Max-Age", attributes["Max-Age"]),
            ("Path", "/"),
            ("SameSite", "Strict"),
            ("Secure", ""),
        ]);
        assert_eq!(attributes, expected);
        Some(cookie)
    }
}

/// Takes a `Set-Cookie` of ours apart: the value, and each attribute once.
fn parse(field: &str) -> (&str, BTreeMap<&str, &str>) {
    let mut parts = field.split("; ");
    let (name, value) = parts.next().unwrap().split_once('=').unwrap();
    assert_eq!(name, COOKIE_NAME);
    let mut attributes = BTreeMap::new();
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        assert_eq!(attributes.insert(name, value), None, "{name} twice");
    }
    (value, attributes)
}

/// Encodes the fields of a form as browsers do, but for spaces.
pub fn encode(fields: &[(&str, &str)]) -> String {
    let fields = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", percent(value)));
    fields.collect::<Vec<_>>().join("&")
}
