//! That the OpenAPI description says what the endpoints do, and nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use super::rows::rows;
use super::stage::{ADMIN, OWN, Stage, administration, users};
use super::table::play;

async fn described() -> Value {
    let stage = Stage::new().await;
    let mut api = users(&stage.manager).openapi(OWN);
    api.merge(administration(&stage.manager).openapi(ADMIN));
    serde_json::from_str(&api.to_json().unwrap()).unwrap()
}

/// Every method, route and status.
fn answers(api: &Value) -> BTreeSet<(String, String, u16)> {
    let mut answers = BTreeSet::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for status in operation["responses"].as_object().unwrap().keys() {
                let method = method.to_ascii_uppercase();
                answers.insert((method, path.clone(), status.parse().unwrap()));
            }
        }
    }
    answers
}

#[tokio::test]
async fn what_is_answered_is_described_and_the_other_way_round() {
    let mut seen = BTreeSet::new();
    for row in rows() {
        let (reply, _) = play(&row).await;
        let status = reply.status.as_u16();
        seen.insert((row.method.to_owned(), row.route.to_owned(), status));
    }
    assert_eq!(answers(&described().await), seen);
}

#[tokio::test]
async fn bodies_have_the_form_that_is_described() {
    let api = described().await;
    let mut bodies = 0;
    for row in rows() {
        let (reply, _) = play(&row).await;
        let method = row.method.to_ascii_lowercase();
        let answer = &api["paths"][row.route][method]["responses"][reply.status.as_str()];
        let schema = answer.pointer("/content/application~1json/schema");
        assert_eq!(schema.is_none(), reply.body.is_empty(), "{row:?}");
        if let Some(schema) = schema {
            check(&api, schema, &reply.json(), &format!("{row:?}"));
            bodies += 1;
        }
        for header in ["retry-after", "clear-site-data", "link"] {
            let described = answer["headers"].as_object().is_some_and(|headers| {
                headers.keys().any(|name| name.eq_ignore_ascii_case(header))
            });
            assert!(
                described || reply.header(header).is_none(),
                "{row:?} {header}"
            );
        }
    }
    assert!(bodies > 40, "{bodies}");
}

/// Holds a value to a schema, as far as ours go, and demands that each of its fields is described.
fn check(api: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let schema = api.pointer(name.strip_prefix('#').unwrap());
        return check(api, schema.unwrap_or_else(|| panic!("{name}")), value, at);
    }
    if let Some(options) = schema["anyOf"].as_array() {
        assert_eq!(options.len(), 3, "{at}");
        assert!(value.is_string(), "{at}");
        return;
    }
    match schema["type"]
        .as_str()
        .unwrap_or_else(|| panic!("{at}: {schema}"))
    {
        "array" => {
            for item in value.as_array().unwrap() {
                check(api, &schema["items"], item, at);
            }
        }
        "boolean" => assert!(value.is_boolean(), "{at}"),
        "integer" => {
            let number = value.as_u64().unwrap();
            assert!(
                number <= schema["maximum"].as_u64().unwrap_or(u64::MAX),
                "{at}"
            );
        }
        "object" => check_fields(api, schema, value, at),
        "string" => {
            let text = value.as_str().unwrap();
            let is_known = |all: &Vec<Value>| all.iter().any(|known| known == text);
            assert!(
                schema["enum"].as_array().is_none_or(is_known),
                "{at}: {text}"
            );
        }
        other => panic!("{at}: {other}"),
    }
}

fn check_fields(api: &Value, schema: &Value, value: &Value, at: &str) {
    let fields = value.as_object().unwrap();
    for required in schema["required"].as_array().into_iter().flatten() {
        assert!(
            fields.contains_key(required.as_str().unwrap()),
            "{at}: {required}"
        );
    }
    if schema["additionalProperties"] == true {
        return;
    }
    for (name, value) in fields {
        let schema = &schema["properties"][name];
        assert!(schema.is_object(), "{at}: {name} is not described");
        check(api, schema, value, &format!("{at} {name}"));
    }
}

#[tokio::test]
async fn all_references_lead_somewhere() {
    fn follow(api: &Value, value: &Value, found: &mut u32) {
        match value {
            Value::Object(fields) => {
                if let Some(name) = fields.get("$ref").and_then(Value::as_str) {
                    assert!(api.pointer(&name[1..]).is_some(), "{name}");
                    *found += 1;
                }
                fields.values().for_each(|value| follow(api, value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| follow(api, value, found)),
            _ => {}
        }
    }
    let api = described().await;
    let mut found = 0;
    follow(&api, &api, &mut found);
    assert!(found > 20, "{found}");
}

#[tokio::test]
async fn cookie_has_its_configured_name_and_every_operation_demands_it_but_logout() {
    let store = sessionup::MemoryStore::new();
    let manager = evidence::watch(sessionup::Manager::builder(store)).cookie_name("__Host-sid");
    let api = users(&manager.build().unwrap()).openapi("/");
    let api: Value = serde_json::from_str(&api.to_json().unwrap()).unwrap();
    let scheme = &api["components"]["securitySchemes"]["session"];
    assert_eq!(scheme["type"], "apiKey");
    assert_eq!(scheme["in"], "cookie");
    assert_eq!(scheme["name"], "__Host-sid");

    for (path, item) in described().await["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let mut expected = serde_json::json!([{"session": []}]);
            if path.ends_with("/logout") {
                expected = serde_json::json!([{}, {"session": []}]);
            }
            assert_eq!(operation["security"], expected, "{path}");
        }
    }
}

#[tokio::test]
async fn paths_are_those_of_the_nested_router() {
    let stage = Stage::new().await;
    for (at, list, logout) in [
        ("", "/", "/logout"),
        ("/", "/", "/logout"),
        ("/sessions", "/sessions", "/sessions/logout"),
        ("/sessions/", "/sessions", "/sessions/logout"),
        (
            "/api/v1/sessions",
            "/api/v1/sessions",
            "/api/v1/sessions/logout",
        ),
    ] {
        let paths = users(&stage.manager).openapi(at).paths.paths;
        assert!(paths[list].get.is_some(), "{at}");
        assert!(paths[logout].post.is_some(), "{at}");
    }
}
