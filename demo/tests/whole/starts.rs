//! Starts that cannot work.

use std::net::TcpListener;

use super::support::server::Home;

use super::cast::Cast;

#[test]
fn used_port_is_told() {
    let home = Home::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    assert_fails(
        &home,
        &address,
        &[&address, "the port is in use", "--listen"],
    );
    assert!(!home.database().exists());
}

#[test]
fn used_database_is_told() {
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);

    let arguments = ["--lock-wait", "0"];
    let parts = ["demo.redb is in use", "within 0ns", "--db"];
    assert_fails_with(&home, "127.0.0.1:0", &arguments, &parts);

    assert_eq!(cast.logged_in(), [true; 4]);
}

/// As on a mount that has no sockets.
#[cfg(unix)]
#[test]
fn start_without_control_socket_serves_and_warns() {
    let home = Home::new();
    let mut socket = home.database().into_os_string();
    socket.push(".control");
    std::fs::write(&socket, "theirs").unwrap();
    let server = home.start();
    let mut cast = Cast::meet(&server);
    assert_eq!(cast.logged_in(), [true; 4]);
    drop(server);
    let log = String::from_utf8_lossy(&home.log()).into_owned();
    assert!(log.contains("control socket could not be made"), "{log}");
    assert_eq!(std::fs::read(&socket).unwrap(), b"theirs");
}

#[test]
fn file_that_is_no_database_is_told_and_left_alone() {
    let home = Home::new();
    let text = "dear diary\n".repeat(10_000);
    std::fs::write(home.database(), &text).unwrap();

    assert_fails(
        &home,
        "127.0.0.1:0",
        &["demo.redb is not a redb database", "--db"],
    );

    assert_eq!(std::fs::read_to_string(home.database()).unwrap(), text);
}

#[test]
fn accounts_that_cannot_be_opened_are_told() {
    let home = Home::new();
    let text = "dear diary\n".repeat(10_000);
    std::fs::write(home.accounts(), &text).unwrap();
    let parts = ["demo.redb.accounts is not a redb database", "--accounts"];
    assert_fails(&home, "127.0.0.1:0", &parts);
    assert_eq!(std::fs::read_to_string(home.accounts()).unwrap(), text);

    let arguments = ["--accounts", "/missing/accounts"];
    let parts = ["cannot open /missing/accounts", "--accounts"];
    assert_fails_with(&home, "127.0.0.1:0", &arguments, &parts);
}

#[test]
fn directory_in_place_of_the_file_is_told() {
    let home = Home::new();
    std::fs::create_dir(home.database()).unwrap();
    assert_fails(&home, "127.0.0.1:0", &["cannot open", "demo.redb", "--db"]);
}

#[test]
fn administrator_without_account_is_told() {
    let home = Home::new();
    for name in ["ann", "", "a\nb"] {
        let arguments = ["--admin", name];
        let parts = ["there is no account", "--admin", "register"];
        assert_fails_with(&home, "127.0.0.1:0", &arguments, &parts);
    }
}

/// Expects one line that says what is the matter and what to do, and nothing on stdout.
fn assert_fails(home: &Home, listen: &str, parts: &[&str]) {
    assert_fails_with(home, listen, &[], parts);
}

fn assert_fails_with(home: &Home, listen: &str, arguments: &[&str], parts: &[&str]) {
    let output = home.fail_to_start(listen, arguments);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert_eq!(output.stdout, b"");
    let lines: Vec<_> = told
        .lines()
        .filter(|line| line.starts_with("demo: "))
        .collect();
    assert_eq!(lines.len(), 1, "{told}");
    for part in parts {
        assert!(lines[0].contains(part), "{part}: {told}");
    }
    assert!(!told.contains("panicked"), "{told}");
}
