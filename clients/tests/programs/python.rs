//! Python's clients; the stories are in `clients/python/`.
//!
//! Their jars send `Secure` cookies over HTTPS alone, on localhost too, and the demo speaks plain
//! HTTP: hence `--insecure-http`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::support::server::Home;

fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients-python/bin/python");
    assert!(python.is_file(), "clients/run makes {}", python.display());
    python
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

fn run(script: &str) {
    let script = scripts().join(script);
    let home = Home::new();
    let server = home.start_with(&["--insecure-http"]);
    let output = Command::new(python())
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

/// schemathesis makes up requests from the description of the API and holds every answer against it.
/// `SCHEMATHESIS_EXAMPLES` takes another number of them for each operation and phase.
#[test]
#[ignore = "needs python3 and packages"]
fn schemathesis() {
    let home = Home::new();
    let server = home.start();
    ureq::post(format!("{}/register", server.address()))
        .config()
        .max_redirects(0)
        .build()
        .send_form([("name", "ann"), ("password", "correct horse battery")])
        .unwrap();
    server.kill();
    let server = home.start_with(&["--admin", "ann"]);
    let folder = tempfile::tempdir().unwrap();
    let examples = std::env::var("SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| "20".into());

    let output = Command::new(python())
        .args(["-B", "-m", "schemathesis.cli", "run", "--no-color"])
        .args(["--max-examples", &examples, "--checks", "all"])
        .arg(format!("{}/api/openapi.json", server.address()))
        .env("DEMO_ADDRESS", server.address())
        .env("PYTHONPATH", scripts())
        .env("SCHEMATHESIS_HOOKS", "openapi_hooks")
        .env("NO_PROXY", "*")
        // Where it keeps what it found.
        .current_dir(folder.path())
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains("No issues found"), "{said}");
}
