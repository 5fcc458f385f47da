//! curl, with its cookie jar in a file.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::support::server::{Home, Server};

/// Goes to curl's standard input, as nothing secret belongs into arguments.
const FORM: &str = "name=ann&password=correct+horse+battery";

/// One user's curl: a jar, and where to go.
struct Curl<'a> {
    server: &'a Server,
    directory: TempDir,
}

struct Answer {
    status: String,
    body: String,
}

impl<'a> Curl<'a> {
    fn new(server: &'a Server) -> Self {
        Self {
            server,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn jar(&self) -> PathBuf {
        self.directory.path().join("jar.txt")
    }

    fn run(&self, path: &str, switches: &[&str], input: &str) -> Answer {
        let mut child = Command::new("curl")
            .args(["--disable", "--silent", "--show-error", "--noproxy", "*"])
            .args(["--write-out", "\n%{http_code}"])
            .arg("--cookie")
            .arg(self.jar())
            .arg("--cookie-jar")
            .arg(self.jar())
            .args(switches)
            .arg(format!("{}{path}", self.server.address()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", output.status);
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        Answer {
            status: status.into(),
            body: body.into(),
        }
    }

    fn post(&self, path: &str, form: &str) -> String {
        self.run(path, &["--data-binary", "@-"], form).status
    }

    fn devices(&self) -> Answer {
        self.run("/devices", &["--header", "accept: application/json"], "")
    }

    /// Lists the ids of this session and of the others.
    fn ids(&self) -> (String, Vec<String>) {
        let answer = self.devices();
        assert_eq!(answer.status, "200", "{}", answer.body);
        let devices: Vec<Value> = serde_json::from_str(&answer.body).unwrap();
        let id = |device: &Value| device["id"].as_str().unwrap().to_owned();
        let (own, others): (Vec<_>, Vec<_>) =
            devices.iter().partition(|device| device["current"] == true);
        (id(own[0]), others.into_iter().map(id).collect())
    }
}

/// Lines of a jar that are cookies: seven fields; those of `HttpOnly` ones begin with a mark.
fn cookies(jar: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(jar).unwrap();
    let lines = text.lines().map(|line| line.split('\t').map(str::to_owned));
    lines
        .map(Iterator::collect::<Vec<_>>)
        .filter(|fields| fields.len() == 7)
        .collect()
}

fn tell_the_story(arguments: &[&str], name: &str, is_secure: &str) {
    let home = Home::new();
    let server = home.start_with(arguments);
    let (laptop, script) = (Curl::new(&server), Curl::new(&server));
    assert_eq!(laptop.devices().status, "401");
    assert_eq!(laptop.post("/register", FORM), "303");
    assert_eq!(script.post("/login", FORM), "303");

    let kept = cookies(&laptop.jar());
    assert_eq!(kept.len(), 1, "{} cookies", kept.len());
    let [domain, subdomains, path, secure, expires, kept_name, token] = &kept[0][..] else {
        panic!("seven fields");
    };
    assert_eq!(domain, "#HttpOnly_localhost");
    assert_eq!(
        [subdomains, path, secure, kept_name],
        ["FALSE", "/", is_secure, name]
    );
    assert!(expires.parse::<u64>().unwrap() > 0, "{expires}");
    assert_eq!(token.len(), 64);

    let (own, others) = laptop.ids();
    assert_eq!(script.ids(), (others[0].clone(), vec![own]));
    assert_eq!(others.len(), 1);
    assert_eq!(
        laptop.post(&format!("/devices/{}/revoke", others[0]), ""),
        "303"
    );
    assert_eq!(script.devices().status, "401");
    assert_eq!(laptop.ids().1, [""; 0]);

    assert_eq!(laptop.post("/logout", ""), "303");
    assert_eq!(cookies(&laptop.jar()), [] as [Vec<String>; 0]);
    assert_eq!(laptop.devices().status, "401");
}

/// curl sends `Secure` cookies to `http://localhost` since its version 7.79 (2021).
#[test]
#[ignore = "needs curl"]
fn login_revoke_and_logout_on_localhost() {
    tell_the_story(&[], "__Host-id", "TRUE");
}

#[test]
#[ignore = "needs curl"]
fn login_revoke_and_logout_over_plain_http() {
    tell_the_story(&["--insecure-http"], "id", "FALSE");
}
