//! The attack corpus against the pure rules: what is read of any bytes, before any store is asked.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use corpus::{Case, Settings, Vars, cases, properties, sample_vars};
use serde_json::Value;
use sessionup_core::cookie::{Found, find};
use sessionup_core::{InvalidUserKey, Meta, MetaChange, MetaError, Token, UserKey};

#[test]
fn cookie_headers() {
    let vars = sample_vars();
    for case in cases("cookie_header.jsonl", 427) {
        case.expect_fields(&["fields", "found"]);
        let fields = case.list("fields", &vars);
        let found = find(fields.iter().map(Vec::as_slice), corpus::COOKIE_NAME);
        let one = case.value("found").get("one");
        let one = one.map(|value| case.read(value, &vars));
        let expected = match (&one, case.value("found").as_str()) {
            (Some(value), _) => Found::One(value),
            (None, Some("absent")) => Found::Absent,
            (None, Some("ambiguous")) => Found::Ambiguous,
            (None, Some("too-large")) => Found::TooLarge,
            // Which of the two is found first is not promised.
            (None, Some("too-large-or-ambiguous")) => {
                assert!(
                    matches!(found, Found::Ambiguous | Found::TooLarge),
                    "{case}"
                );
                continue;
            }
            (None, other) => panic!("{case}: nothing is found {other:?}"),
        };
        assert!(found == expected, "{case}: {found:?}");
    }
}

#[test]
fn tokens() {
    let vars = sample_vars();
    let mut malformed = 0;
    for case in cases("token.jsonl", 259) {
        case.expect_fields(&["value", "outcome"]);
        let value = case.bytes("value", &vars);
        let is_token = Token::parse(&value).is_some();
        match case.text("outcome") {
            "malformed" => malformed += 1,
            "live" | "unknown" => {}
            other => panic!("{case}: no outcome {other}"),
        }
        assert_eq!(is_token, case.text("outcome") != "malformed", "{case}");
        properties::token(&value);
    }
    assert!(malformed >= 200, "{malformed}");
}

#[test]
fn user_keys() {
    for case in cases("user_key.jsonl", 180) {
        case.expect_fields(&["key", "outcome"]);
        let outcome = user_key(&case).map_or_else(|error| error, |_| "accepted");
        assert_eq!(outcome, case.text("outcome"), "{case}");
    }
}

fn user_key(case: &Case) -> Result<UserKey, &'static str> {
    let key = String::from_utf8(case.bytes("key", &Vars::new())).map_err(|_| "not-utf8")?;
    UserKey::new(key).map_err(|error| match error {
        InvalidUserKey::Empty => "empty",
        InvalidUserKey::Nul => "nul",
        InvalidUserKey::TooLong { .. } => "too-long",
        _ => "other",
    })
}

#[test]
fn metas() {
    for case in cases("meta.jsonl", 106) {
        case.expect_fields(&["entries", "outcome"]);
        let mut meta = Meta::new();
        let outcome = corpus::meta(&case).and_then(|change: MetaChange| meta.merge(&change));
        let outcome = outcome.map_or_else(|error| name_of(&error), |()| "accepted");
        assert_eq!(outcome, case.text("outcome"), "{case}");
        if outcome != "accepted" {
            assert!(meta.is_empty(), "{case}");
        }
        let json = serde_json::to_value(&meta).unwrap();
        for (key, value) in &meta {
            assert_eq!(json.get(key), Some(value), "{case}");
            assert_eq!(
                meta.get::<Value>(key).unwrap().as_ref(),
                Some(value),
                "{case}"
            );
        }
    }
}

fn name_of(error: &MetaError) -> &'static str {
    match error {
        MetaError::Key { .. } => "key",
        MetaError::TooDeep { .. } => "too-deep",
        MetaError::TooLarge { .. } => "too-large",
        MetaError::TooMany { .. } => "too-many",
        _ => "other",
    }
}

#[test]
fn configs() {
    for case in cases("config.jsonl", 279) {
        // What is accepted is logged in with, and its cookie read by another's code.
        let outcome = properties::config::check(&Settings::of_case(&case));
        let outcome =
            outcome.map_or_else(|error| properties::config::outcome(&error), |()| "accepted");
        assert_eq!(outcome, case.text("outcome"), "{case}");
    }
}

/// Why we read cookies ourselves: the usual reader decodes names, and so lets a subdomain that may
/// set `%5F%5FHost-id` forge what only the host itself may set (CVE-2020-8184).
#[test]
fn reader_that_decodes_names_would_take_a_forged_cookie() {
    let field = "%5F%5FHost-id=planted";
    let mut cookies = cookie::Cookie::split_parse_encoded(field).flatten();
    let decoded = cookies.find(|cookie| cookie.name() == corpus::COOKIE_NAME);
    assert_eq!(decoded.unwrap().value(), "planted");
    assert_eq!(find([field.as_bytes()], corpus::COOKIE_NAME), Found::Absent);
}
