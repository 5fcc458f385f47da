//! Ends of the server, good and bad.

use super::support::browser::{Browser, CURL, SAFARI};
use super::support::server::Home;

use super::cast::{ANNS, BOBS, Cast};

#[test]
fn logins_and_revocations_survive_kill_9() {
    let home = Home::new();
    let mut server = home.start();
    let mut cast = Cast::meet(&server);
    let phone = cast.anns_phone.id();
    let answer = cast.ann.post(&format!("/devices/{phone}/revoke"), &[]);
    answer.assert_redirect("/devices?logged-out");

    for _ in 0..2 {
        // The last thing before the end is a login, and a logout of which the client kept the cookie.
        let mut came = Browser::new(server.address(), SAFARI);
        let mut left = Browser::new(server.address(), SAFARI);
        left.log_in("ann", ANNS);
        let token = left.cookie();
        left.post("/logout", &[]).assert_redirect("/");
        left.set_cookie(token);
        came.log_in("ann", ANNS);

        server.kill();
        server = home.start();

        cast.go_to(&server);
        assert_eq!(cast.logged_in(), [true, false, true, true]);
        came.go_to(server.address());
        assert!(came.is_logged_in());
        left.go_to(server.address());
        assert!(!left.is_logged_in());
    }
    assert_eq!(cast.ann.devices().len(), 3);
    Browser::new(server.address(), CURL).log_in("bob", BOBS);
}

#[cfg(unix)]
#[test]
fn server_stops_cleanly_when_told_to() {
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);
    cast.bob.post("/devices/revoke-other", &[]);

    let status = server.terminate();

    assert_eq!(status.code(), Some(0));
    let server = home.start();
    cast.go_to(&server);
    assert_eq!(cast.logged_in(), [true, true, true, false]);
}
