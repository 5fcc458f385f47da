//! HTTP/2 clients may send each cookie in a field of its own (RFC 9113 §8.2.3).

use http::Request;
use sessionup::MemoryStore;

use super::client::{Client, VERSIONS, Version};
use super::support::app::{app, manager};
use super::support::serve::Served;

const FIELDS: usize = 50;

#[tokio::test]
async fn session_is_found_in_whichever_field_it_is() {
    let served = Served::new(app(&manager(MemoryStore::new())));
    for version in VERSIONS {
        let mut client = Client::connect(served.address(), version).await;
        let login = client.send(Request::post("/login/ann")).await;
        let ours = login.cookie();
        for fields in 1..=FIELDS {
            for at in [0, fields / 2, fields - 1] {
                let answer = client.send(spread(fields, &[(at, &ours)])).await;
                assert_eq!(answer.status, 200, "{version:?}: field {at} of {fields}");
                assert_eq!(answer.body, "ann");
            }
        }
        for at in 0..FIELDS {
            let answer = client.send(spread(FIELDS, &[(at, &ours)])).await;
            assert_eq!(answer.body, "ann", "{version:?}: field {at}");
        }
    }
}

#[tokio::test]
async fn two_values_in_two_fields_are_refused_in_either_order() {
    let served = Served::new(app(&manager(MemoryStore::new())));
    let mut client = Client::connect(served.address(), Version::Http2).await;
    let ann = client.send(Request::post("/login/ann")).await.cookie();
    let bob = client.send(Request::post("/login/bob")).await.cookie();
    let cases: [(&str, &[Place<'_>], u16); 4] = [
        ("ann before bob", &[(3, &ann), (40, &bob)], 401),
        ("bob before ann", &[(3, &bob), (40, &ann)], 401),
        ("ann twice", &[(3, &ann), (40, &ann)], 200),
        ("neither", &[], 401),
    ];
    for (name, ours, expected) in cases {
        let answer = client.send(spread(FIELDS, ours)).await;
        assert_eq!(answer.status, expected, "{name}");
        assert!(!answer.headers.contains_key("set-cookie"), "{name}");
    }
}

/// The number of a field, and our cookie, which is in it.
type Place<'a> = (usize, &'a str);

/// A request with so many `Cookie` fields, these of them ours.
fn spread(fields: usize, ours: &[Place<'_>]) -> http::request::Builder {
    (0..fields).fold(Request::get("/private"), |request, at| {
        let own = ours.iter().find(|(place, _)| *place == at);
        let cookie = own.map_or(format!("c{at}=v{at}"), |(_, cookie)| (*cookie).to_owned());
        request.header("cookie", cookie)
    })
}
