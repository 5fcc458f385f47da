//! Changing the password.

use super::support::browser::{Browser, CHROME, FIREFOX};
use super::support::server::{Home, Server};

use super::cast::{ANNS, BOBS, Cast};

#[test]
fn new_password_logs_out_the_others_if_asked_to() {
    let new = "a brand new password";
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);
    let (id, old) = (cast.ann.id(), cast.ann.cookie());

    let fields = [
        ("current_password", ANNS),
        ("new_password", new),
        ("log_out_others", "yes"),
    ];
    cast.ann
        .post("/password", &fields)
        .assert_redirect("/devices?password-changed");

    assert_eq!(cast.logged_in(), [true, false, true, true]);
    assert_eq!(cast.ann.id(), id, "the same session");
    assert_token_is_dead(&server, old);
    let mut browser = Browser::new(server.address(), CHROME);
    assert_eq!(browser.try_to_log_in("ann", ANNS).status, 422);
    browser.log_in("ann", new);
}

#[test]
fn new_password_leaves_the_others_logged_in_if_not_asked_to() {
    let new = "a brand new password";
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);
    let old = cast.ann.cookie();

    let fields = [("current_password", ANNS), ("new_password", new)];
    cast.ann
        .post("/password", &fields)
        .assert_redirect("/devices?password-changed");

    assert_eq!(cast.logged_in(), [true; 4]);
    assert_token_is_dead(&server, old);
    let mut browser = Browser::new(server.address(), CHROME);
    assert_eq!(browser.try_to_log_in("ann", ANNS).status, 422);
}

fn assert_token_is_dead(server: &Server, token: Option<String>) {
    assert!(token.is_some());
    let mut thief = Browser::new(server.address(), FIREFOX);
    thief.set_cookie(token);
    assert!(!thief.is_logged_in());
}

#[test]
fn new_password_that_is_refused_changes_nothing() {
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);
    let before = cast.ann.cookie();

    let cases = [
        (
            "wrong current password",
            BOBS,
            "a brand new password",
            "current password",
        ),
        ("too short", ANNS, "7 bytes", "too short"),
    ];
    for (case, current, new, why) in cases {
        let fields = [
            ("current_password", current),
            ("new_password", new),
            ("log_out_others", "yes"),
        ];
        let answer = cast.ann.post("/password", &fields);
        assert_eq!(answer.status, 422, "{case}");
        let page = answer.text();
        assert!(page.contains(why), "{case}: {page}");
        assert!(
            !page.contains(current) && !page.contains(new),
            "{case}: {page}"
        );
    }

    assert_eq!(cast.ann.cookie(), before);
    assert_eq!(cast.logged_in(), [true; 4]);
    Browser::new(server.address(), CHROME).log_in("ann", ANNS);
}
