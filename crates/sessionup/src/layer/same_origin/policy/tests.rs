//! The tables of the policy.

use http::{HeaderName, HeaderValue};

use super::CrossSite::{FetchSite, Origin as OtherOrigin, Unclear};
use super::*;

type Verdict = Result<(), CrossSite>;

fn headers(fields: &str) -> HeaderMap {
    let fields = fields.split(" | ").filter(|field| !field.is_empty());
    let mut headers = HeaderMap::new();
    for field in fields {
        let (name, value) = field.split_once(": ").unwrap();
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn post(policy: &Policy, target: &str, fields: &str) -> Verdict {
    policy.verify(&Method::POST, &target.parse().unwrap(), &headers(fields))
}

#[test]
fn only_reading_is_free_for_all() {
    let cases = [
        (Method::GET, Ok(())),
        (Method::HEAD, Ok(())),
        (Method::OPTIONS, Ok(())),
        (Method::POST, Err(FetchSite)),
        (Method::PUT, Err(FetchSite)),
        (Method::PATCH, Err(FetchSite)),
        (Method::DELETE, Err(FetchSite)),
        (Method::TRACE, Err(FetchSite)),
        (Method::CONNECT, Err(FetchSite)),
        (Method::from_bytes(b"MOVE").unwrap(), Err(FetchSite)),
        (Method::from_bytes(b"get").unwrap(), Err(FetchSite)),
    ];
    let headers = headers("host: example.org | sec-fetch-site: cross-site");
    for (method, expected) in cases {
        let verdict = Policy::default().verify(&method, &Uri::from_static("/"), &headers);
        assert_eq!(verdict, expected, "{method}");
    }
}

/// Every word of `Sec-Fetch-Site` with every relation of `Origin` to `Host`.
#[test]
fn truth_table() {
    let sites = ["", "same-origin", "none", "same-site", "cross-site"];
    let origins = ["", "https://example.org", "https://evil.example", "null"];
    let free = [true, true, false, false];
    let expected = [free, [true; 4], [true; 4], [false; 4], [false; 4]];
    for (site, row) in sites.iter().zip(expected) {
        for (origin, expected) in origins.iter().zip(row) {
            let mut fields = vec!["host: example.org".to_owned()];
            if !site.is_empty() {
                fields.push(format!("sec-fetch-site: {site}"));
            }
            if !origin.is_empty() {
                fields.push(format!("origin: {origin}"));
            }
            let verdict = post(&Policy::default(), "/", &fields.join(" | "));
            assert_eq!(verdict.is_ok(), expected, "{fields:?}");
        }
    }
}

#[test]
fn what_the_browser_says_of_the_site() {
    let cases = [
        ("no browser", "", Ok(())),
        ("unknown word", "sec-fetch-site: maybe", Err(FetchSite)),
        ("other case", "sec-fetch-site: Same-Origin", Err(FetchSite)),
        ("empty", "sec-fetch-site: ", Err(Unclear)),
        ("no text", "sec-fetch-site: same-origin\u{e9}", Err(Unclear)),
        (
            "twice",
            "sec-fetch-site: same-origin | sec-fetch-site: same-origin",
            Err(Unclear),
        ),
        (
            "two words",
            "sec-fetch-site: same-origin, none",
            Err(FetchSite),
        ),
        (
            "site counts before origin",
            "sec-fetch-site: cross-site | origin: https://example.org",
            Err(FetchSite),
        ),
        (
            "behind a proxy that rewrites the host",
            "sec-fetch-site: same-origin | origin: https://other.example",
            Ok(()),
        ),
    ];
    for (name, fields, expected) in cases {
        let fields = format!("host: example.org | {fields}");
        assert_eq!(post(&Policy::default(), "/", &fields), expected, "{name}");
    }
}

#[test]
fn origin_against_host() {
    let cases = [
        ("same", "example.org", "https://example.org", Ok(())),
        (
            "TLS ends at a proxy or not",
            "example.org",
            "http://example.org",
            Ok(()),
        ),
        ("in capitals", "Example.ORG", "https://EXAMPLE.org", Ok(())),
        (
            "same port",
            "localhost:3000",
            "http://localhost:3000",
            Ok(()),
        ),
        (
            "port of the scheme",
            "example.org:443",
            "https://example.org",
            Ok(()),
        ),
        ("IPv6", "[::1]:3000", "http://[::1]:3000", Ok(())),
        (
            "other host",
            "example.org",
            "https://evil.example",
            Err(OtherOrigin),
        ),
        (
            "subdomain",
            "example.org",
            "https://a.example.org",
            Err(OtherOrigin),
        ),
        (
            "parent domain",
            "a.example.org",
            "https://example.org",
            Err(OtherOrigin),
        ),
        (
            "longer host",
            "example.org",
            "https://example.org.evil.example",
            Err(OtherOrigin),
        ),
        (
            "longer name",
            "example.org",
            "https://evil-example.org",
            Err(OtherOrigin),
        ),
        (
            "dot at the end",
            "example.org",
            "https://example.org.",
            Err(OtherOrigin),
        ),
        (
            "other port",
            "localhost:3000",
            "http://localhost:3001",
            Err(OtherOrigin),
        ),
        (
            "port left out",
            "localhost:3000",
            "http://localhost",
            Err(OtherOrigin),
        ),
        (
            "port added",
            "localhost",
            "http://localhost:3000",
            Err(OtherOrigin),
        ),
        (
            "http to the port of https",
            "example.org:443",
            "http://example.org",
            Err(OtherOrigin),
        ),
        (
            "https to the port of http",
            "example.org:80",
            "https://example.org",
            Err(OtherOrigin),
        ),
        (
            "other scheme",
            "example.org",
            "ftp://example.org",
            Err(OtherOrigin),
        ),
        (
            "extension",
            "example.org",
            "moz-extension://example.org",
            Err(OtherOrigin),
        ),
        ("no scheme", "example.org", "example.org", Err(OtherOrigin)),
        ("null", "null", "null", Err(OtherOrigin)),
        (
            "path",
            "example.org",
            "https://example.org/",
            Err(OtherOrigin),
        ),
        (
            "user name",
            "example.org",
            "https://example.org@evil.example",
            Err(OtherOrigin),
        ),
        (
            "two in one",
            "example.org",
            "https://example.org https://evil.example",
            Err(OtherOrigin),
        ),
        ("empty", "example.org", "", Err(Unclear)),
        (
            "no text",
            "example.org",
            "https://example.org\u{e9}",
            Err(Unclear),
        ),
        (
            "twice",
            "example.org",
            "https://example.org | origin: https://evil.example",
            Err(Unclear),
        ),
        (
            "host with user name",
            "evil.example@example.org",
            "https://example.org",
            Err(Unclear),
        ),
        (
            "two hosts",
            "evil.example | host: example.org",
            "https://example.org",
            Err(Unclear),
        ),
        ("empty host", "", "https://example.org", Err(Unclear)),
    ];
    for (name, host, origin, expected) in cases {
        let fields = format!("host: {host} | origin: {origin}");
        assert_eq!(post(&Policy::default(), "/", &fields), expected, "{name}");
    }
}

#[test]
fn origin_against_target() {
    let own = "origin: https://example.org";
    let cases = [
        ("neither host nor authority", "/", own, Err(Unclear)),
        ("HTTP/2", "https://example.org/x", own, Ok(())),
        (
            "with the port of the scheme",
            "https://example.org:443/x",
            own,
            Ok(()),
        ),
        ("TLS ends at a proxy", "http://example.org/x", own, Ok(())),
        (
            "other host",
            "https://evil.example/x",
            own,
            Err(OtherOrigin),
        ),
        (
            "other port",
            "https://example.org:8443/x",
            own,
            Err(OtherOrigin),
        ),
        (
            "from http to https",
            "https://example.org/x",
            "origin: http://example.org",
            Err(OtherOrigin),
        ),
        (
            "plain HTTP/2",
            "http://example.org/x",
            "origin: http://example.org",
            Ok(()),
        ),
        (
            "both say the same",
            "https://example.org/x",
            "host: example.org:443 | origin: https://example.org",
            Ok(()),
        ),
        (
            "they contradict each other",
            "https://example.org/x",
            "host: evil.example | origin: https://example.org",
            Err(Unclear),
        ),
        (
            "or the other way round",
            "https://evil.example/x",
            "host: example.org | origin: https://example.org",
            Err(Unclear),
        ),
    ];
    for (name, target, fields, expected) in cases {
        assert_eq!(post(&Policy::default(), target, fields), expected, "{name}");
    }
}

#[test]
fn trusted_origins() {
    let mut policy = Policy::default();
    policy.trust("https://App.example.org:443").unwrap();
    policy.trust("capacitor://localhost").unwrap();
    let cases = [
        ("trusted", "origin: https://app.example.org", Ok(())),
        (
            "as browsers send it",
            "sec-fetch-site: same-site | origin: https://app.example.org",
            Ok(()),
        ),
        (
            "from an app",
            "sec-fetch-site: cross-site | origin: capacitor://localhost",
            Ok(()),
        ),
        (
            "other scheme",
            "origin: http://app.example.org",
            Err(OtherOrigin),
        ),
        (
            "other port",
            "origin: https://app.example.org:8443",
            Err(OtherOrigin),
        ),
        (
            "other host",
            "sec-fetch-site: same-site | origin: https://b.example.org",
            Err(FetchSite),
        ),
        ("no origin", "sec-fetch-site: same-site", Err(FetchSite)),
        (
            "null",
            "sec-fetch-site: cross-site | origin: null",
            Err(FetchSite),
        ),
        (
            "twice",
            "origin: https://app.example.org | origin: https://app.example.org",
            Err(Unclear),
        ),
        (
            "site twice",
            "sec-fetch-site: same-site | sec-fetch-site: none | origin: https://app.example.org",
            Err(Unclear),
        ),
    ];
    for (name, fields, expected) in cases {
        let fields = format!("host: example.org | {fields}");
        assert_eq!(post(&policy, "/", &fields), expected, "{name}");
    }
}

#[test]
fn what_cannot_be_trusted_is_an_error_at_once() {
    for origin in ["*", "null", "app.example.org", "https://app.example.org/"] {
        let error = Policy::default().trust(origin).unwrap_err();
        assert_eq!(error.origin, origin);
    }
}
