//! Registering, logging in and logging out.

use super::support::browser::{Browser, CHROME, FIREFOX};
use super::support::server::Home;

use super::cast::{ANNS, BOBS, Cast};

#[test]
fn cookie_is_worth_nothing_after_logout() {
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);
    let old = cast.ann.cookie();

    cast.ann.post("/logout", &[]).assert_redirect("/");
    assert_eq!(cast.ann.cookie(), None);

    cast.ann.set_cookie(old);
    assert_eq!(cast.logged_in(), [false, true, true, true]);
    // Twice is harmless, with the dead cookie and without any.
    cast.ann.post("/logout", &[]).assert_redirect("/");
    assert_eq!(cast.ann.cookie(), None);
    cast.ann.post("/logout", &[]).assert_redirect("/");
    assert_eq!(cast.logged_in(), [false, true, true, true]);
}

#[test]
fn login_ends_the_session_it_is_made_from() {
    let home = Home::new();
    let server = home.start();
    let mut ann = Browser::new(server.address(), FIREFOX);
    ann.register("ann", ANNS);
    let (old_id, old) = (ann.id(), ann.cookie());

    ann.log_in("ann", ANNS);

    assert_ne!(ann.cookie(), old);
    assert_ne!(ann.id(), old_id);
    assert_eq!(ann.devices().len(), 1);
    ann.set_cookie(old);
    assert!(!ann.is_logged_in());
}

#[test]
fn wrong_password_and_unknown_name_are_answered_alike() {
    let home = Home::new();
    let server = home.start();
    let mut ann = Browser::new(server.address(), FIREFOX);
    ann.register("ann", ANNS);
    let mut stranger = Browser::new(server.address(), CHROME);

    let too_long = "x".repeat(1_025);
    let cases = [
        ("wrong password", "ann", BOBS),
        ("no password", "ann", ""),
        ("longest password", "ann", &too_long),
        ("unknown name", "bob", ANNS),
        ("other case", "Ann", ANNS),
        ("no name", "", ANNS),
        ("not even a name", "a\0b", ANNS),
    ];
    let mut bodies = Vec::new();
    for (case, name, password) in cases {
        let answer = stranger.try_to_log_in(name, password);
        assert_eq!(answer.status, 422, "{case}");
        assert_eq!(answer.cookie(), None, "{case}");
        let shown = format!(r#"value="{name}""#);
        assert!(answer.text().contains(&shown), "{case}: {}", answer.text());
        bodies.push(answer.text().replacen(&shown, "", 1));
    }

    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:#?}");
    assert!(bodies[0].contains("do not go together"));
    assert!(!stranger.is_logged_in());
}

#[test]
fn name_is_trimmed_and_can_be_anything() {
    let home = Home::new();
    let server = home.start();
    let name = "<b>O'Neill & söns</b> \"\u{202e}\u{1f600}";
    let mut browser = Browser::new(server.address(), FIREFOX);
    browser.register(&format!("  {name}\t"), ANNS);
    browser.log_in(&format!("{name} "), ANNS);

    let page = browser.get("/devices").text();
    assert!(
        page.contains("&lt;b&gt;O'Neill &amp; söns&lt;/b&gt;"),
        "{page}"
    );
    assert!(!page.contains("<b>"), "{page}");
}

#[test]
fn registration_says_what_is_wrong_and_keeps_the_name() {
    let home = Home::new();
    let server = home.start();
    let mut ann = Browser::new(server.address(), FIREFOX);
    ann.register("ann", ANNS);
    let mut stranger = Browser::new(server.address(), CHROME);

    let (long_name, long_password) = ("n".repeat(65), "p".repeat(1_025));
    let cases = [
        ("taken", "ann", BOBS, "is taken"),
        ("no name", "  ", BOBS, "Please give a name"),
        ("long name", &long_name, BOBS, "name is too long"),
        ("short password", "bob", "7 bytes", "too short"),
        (
            "long password",
            "bob",
            &long_password,
            "password is too long",
        ),
    ];
    for (case, name, password, why) in cases {
        let answer = stranger.post("/register", &[("name", name), ("password", password)]);
        assert_eq!(answer.status, 422, "{case}");
        assert_eq!(answer.cookie(), None, "{case}");
        let page = answer.text();
        assert!(page.contains(why), "{case}: {page}");
        assert!(
            page.contains(&format!(r#"value="{name}""#)),
            "{case}: {page}"
        );
        assert!(!page.contains(password), "{case}: {page}");
    }

    assert!(!stranger.is_logged_in());
    // The taken name still has its own password.
    ann.log_in("ann", ANNS);
}
