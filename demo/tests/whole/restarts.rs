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

/// A rolling restart: the next server is started while the first one serves.
#[cfg(unix)]
#[test]
fn next_server_takes_over_while_users_stay_logged_in() {
    let home = Home::new();
    let first = home.start();
    let mut cast = Cast::meet(&first);
    let mut late = Browser::new(first.address(), SAFARI);
    let next = std::thread::scope(|scope| {
        let starting = scope.spawn(|| home.start());
        cast.bob.post("/devices/revoke-other", &[]);
        late.log_in("ann", ANNS);
        first.terminate();
        starting.join().unwrap()
    });

    cast.go_to(&next);
    late.go_to(next.address());
    assert_eq!(cast.logged_in(), [true, true, true, false]);
    assert!(late.is_logged_in());
}

/// What a tool ends beside the running server is over for the next request.
#[cfg(unix)]
#[test]
fn sessions_are_ended_from_outside_while_the_server_runs() {
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);
    let phone = cast.anns_phone.id().parse().unwrap();
    let control = sessionup_redb::Control::connect(home.database(), "sessions").unwrap();

    assert_eq!(control.count().unwrap(), 4);
    assert!(control.delete(phone, None).unwrap());
    assert_eq!(cast.logged_in(), [true, false, true, true]);
    let bob = cast.bob.id().parse().unwrap();
    let bobs = control.find(bob).unwrap().unwrap().1.unwrap();
    let ended = control.delete_user(&bobs.user_key, &[bob]);
    assert_eq!(ended.unwrap(), 1);
    assert_eq!(cast.logged_in(), [true, false, true, false]);
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
