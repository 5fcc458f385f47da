//! Listing and revoking devices.

use super::support::browser::Answer;
use super::support::server::Home;
use serde_json::{Value, json};

use super::cast::Cast;

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

#[test]
fn user_sees_their_devices() {
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);

    let devices = cast.ann.devices();

    assert_eq!(devices.len(), 2);
    let [first, second] = &devices[..] else {
        panic!("{devices:?}");
    };
    let fields = [
        "agent",
        "created_at",
        "current",
        "expires_at",
        "id",
        "ip",
        "last_seen_at",
    ];
    assert_eq!(keys(first), fields);
    assert_eq!(keys(second), fields);
    let firefox = json!({"os": "Linux", "browser": "Firefox", "version": 140, "kind": "desktop"});
    let safari = json!({"os": "iOS", "browser": "Safari", "version": 26, "kind": "mobile"});
    assert_eq!([&first["agent"], &second["agent"]], [&firefox, &safari]);
    assert_eq!([&first["ip"], &second["ip"]], ["127.0.0.1", "127.0.0.1"]);
    assert_eq!([&first["current"], &second["current"]], [true, false]);
    assert!(first["id"].as_str() < second["id"].as_str(), "oldest first");
    assert!(!serde_json::to_string(&devices).unwrap().contains("ann"));

    let on_phone = cast.anns_phone.devices();
    assert_eq!(
        [&on_phone[0]["id"], &on_phone[1]["id"]],
        [&first["id"], &second["id"]]
    );
    assert_eq!(
        [&on_phone[0]["current"], &on_phone[1]["current"]],
        [false, true]
    );
}

#[test]
fn page_of_devices_says_what_the_list_says() {
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);

    let page = cast.ann.get("/devices").text();

    for device in cast.ann.devices() {
        let id = device["id"].as_str().unwrap();
        assert!(
            page.contains(&format!(r#"action="/devices/{id}/revoke""#)),
            "{page}"
        );
        let created = device["created_at"].as_str().unwrap();
        assert!(
            page.contains(&format!(r#"<time datetime="{created}">"#)),
            "{page}"
        );
    }
    for text in [
        "Firefox 140 on Linux",
        "Safari 26 on iOS",
        "127.0.0.1",
        "desktop",
        "mobile",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert_eq!(page.matches("this device").count(), 1);
    assert!(!page.contains("Chrome"), "no device of others");
}

#[test]
fn revoked_device_is_out_at_its_next_request_and_no_other_is() {
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);
    let phone = cast.anns_phone.id();

    let answer = cast.ann.post(&format!("/devices/{phone}/revoke"), &[]);

    answer.assert_redirect("/devices?logged-out");
    assert_eq!(answer.cookie(), None);
    assert_eq!(cast.logged_in(), [true, false, true, true]);
    assert_eq!(cast.ann.devices().len(), 1);
    assert_eq!(cast.bob.devices().len(), 2);
}

#[test]
fn revoking_the_device_in_hand_logs_out() {
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);
    let own = cast.ann.id();

    let answer = cast.ann.post(&format!("/devices/{own}/revoke"), &[]);

    answer.assert_redirect("/");
    assert_eq!(cast.ann.cookie(), None);
    assert_eq!(cast.logged_in(), [false, true, true, true]);
}

#[test]
fn sessions_of_others_are_out_of_reach_and_look_as_if_they_were_not_there() {
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);
    let bobs = cast.bob.id();
    let unknown = "019ab3f0-7c00-7000-8000-0000000000ab";
    assert_ne!(bobs, unknown);

    let visible = |answer: Answer| {
        let headers = answer.headers.iter().filter(|(name, _)| *name != "date");
        let headers: Vec<_> = headers
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        (answer.status, headers, answer.body)
    };
    let of_bob = visible(cast.ann.post(&format!("/devices/{bobs}/revoke"), &[]));
    let of_nobody = visible(cast.ann.post(&format!("/devices/{unknown}/revoke"), &[]));
    let no_id = visible(cast.ann.post("/devices/%FF/revoke", &[]));
    let upper_case = visible(
        cast.ann
            .post(&format!("/devices/{}/revoke", bobs.to_uppercase()), &[]),
    );

    assert_eq!(of_bob.0, 404);
    assert_eq!(of_bob, of_nobody);
    assert_eq!(of_bob, no_id);
    assert_eq!(of_bob, upper_case);
    assert_eq!(cast.logged_in(), [true; 4]);
}

#[test]
fn all_other_devices_are_logged_out() {
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);
    let before = cast.ann.cookie();

    let answer = cast.ann.post("/devices/revoke-other", &[]);

    answer.assert_redirect("/devices?logged-out-others");
    assert_eq!(cast.ann.cookie(), before);
    assert_eq!(cast.logged_in(), [true, false, true, true]);
}

#[test]
fn all_devices_are_logged_out() {
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);

    cast.ann
        .post("/devices/revoke-all", &[])
        .assert_redirect("/");

    assert_eq!(cast.ann.cookie(), None);
    assert_eq!(cast.logged_in(), [false, false, true, true]);
}
