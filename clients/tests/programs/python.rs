//! Python's clients; the stories are in `clients/python/`.
//!
//! Their jars send `Secure` cookies over HTTPS alone, on localhost too, and the demo speaks plain
//! HTTP: hence `--insecure-http`.

use std::path::Path;
use std::process::Command;

use super::support::server::Home;

fn run(script: &str) {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients-python/bin/python");
    assert!(python.is_file(), "clients/run makes {}", python.display());
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("python")
        .join(script);
    let home = Home::new();
    let server = home.start_with(&["--insecure-http"]);
    let output = Command::new(python)
        .args(["-I", "-B"])
        .arg(script)
        .arg(server.address())
        .output()
        .unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stdout, "login, list, revoke, logout: done\n");
}

#[test]
#[ignore = "needs python3 and packages"]
fn requests() {
    run("with_requests.py");
}

#[test]
#[ignore = "needs python3 and packages"]
fn httpx() {
    run("with_httpx.py");
}
