//! The part of WebDriver (W3C) that these tests need, over HTTP to a `chromedriver` of their own.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How long an element may take to appear, and a page to load.
const PATIENCE: Duration = Duration::from_secs(30);

/// A picture of a page is the longest.
const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;

/// One browser session. The driver and all it started end when dropped.
pub(crate) struct WebDriver {
    agent: ureq::Agent,
    /// Address of the session.
    session: String,
    _driver: Driver,
}

impl WebDriver {
    /// Starts a driver on a free port, and a browser by the options that `chromedriver` knows. Both
    /// leave their files in `folder`.
    pub(crate) fn start(options: &Value, folder: &Path) -> Self {
        let mut driver = Driver::start(folder);
        let mut started = Self {
            agent: agent(),
            session: format!("http://127.0.0.1:{}/session", driver.port()),
            _driver: driver,
        };
        let millis = PATIENCE.as_millis();
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "timeouts": {"implicit": millis, "pageLoad": millis, "script": millis},
        }}});
        let session = started.post("", &capabilities);
        let id = session["sessionId"].as_str().unwrap();
        started.session = format!("{}/{id}", started.session);
        started
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.try_post(path, body);
        answer.unwrap_or_else(|error| panic!("{path}: {error:#}"))
    }

    fn try_post(&self, path: &str, body: &Value) -> Result<Value, Value> {
        let request = self.agent.post(format!("{}{path}", self.session));
        let request = request.header("content-type", "application/json");
        let mut response = request.send(body.to_string()).unwrap();
        let limited = response.body_mut().with_config().limit(MAX_ANSWER_BYTES);
        let answer: Value = serde_json::from_str(&limited.read_to_string().unwrap()).unwrap();
        if response.status().is_success() {
            Ok(answer["value"].clone())
        } else {
            Err(answer["value"].clone())
        }
    }

    /// Does what leaves the page, and waits until another one is there.
    pub(crate) fn leave(&self, path: &str) {
        let script = |script| json!({"script": script, "args": []});
        self.post("/execute/sync", &script("window.isLeft = true"));
        self.post(path, &json!({}));
        let is_there = script("return !window.isLeft && document.readyState === 'complete'");
        let start = Instant::now();
        // Between two pages there may be none to ask.
        while self.try_post("/execute/sync", &is_there) != Ok(Value::Bool(true)) {
            assert!(start.elapsed() < PATIENCE, "no page after {path}");
        }
    }

    /// Waits for an element and returns its path below the session.
    pub(crate) fn find(&self, css: &str) -> String {
        let element = self.find_element(css);
        format!("/element/{}", element[ELEMENT].as_str().unwrap())
    }

    /// Waits for an element and returns it as WebDriver names it.
    pub(crate) fn find_element(&self, css: &str) -> Value {
        self.post("/element", &json!({"using": "css selector", "value": css}))
    }

    /// Runs a script in the page. Promises are awaited.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Sends a command of the Chrome DevTools Protocol.
    pub(crate) fn devtools(&self, command: &str, params: &Value) -> Value {
        let command = json!({"cmd": command, "params": params});
        self.post("/goog/cdp/execute", &command)
    }
}

impl Drop for WebDriver {
    fn drop(&mut self) {
        // In good order, before the driver is killed.
        let _ = self.agent.delete(&self.session).call();
    }
}

/// A `chromedriver` with what it started. Killed when dropped.
struct Driver {
    child: Child,
    /// Kept open, for a driver that cannot print ends.
    stdout: BufReader<ChildStdout>,
}

impl Driver {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(program(&["chromedriver"]));
        command
            .arg("--port=0")
            .env("TMPDIR", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// Waits until it listens, and returns where.
    fn port(&mut self) -> u16 {
        let mut line = String::new();
        loop {
            line.clear();
            let bytes = self.stdout.read_line(&mut line).unwrap();
            assert_ne!(bytes, 0, "chromedriver ended without a port");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                return port.trim_end().trim_end_matches('.').parse().unwrap();
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(4 * PATIENCE))
        .build()
        .into()
}

/// Finds the first of these programs that is on the PATH.
pub(crate) fn program(names: &[&str]) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let candidates = names
        .iter()
        .flat_map(|name| env::split_paths(&path).map(move |folder| folder.join(name)));
    let found = { candidates }.find(|candidate| candidate.is_file());
    found.unwrap_or_else(|| panic!("none of {names:?} is on the PATH; see clients/run"))
}
