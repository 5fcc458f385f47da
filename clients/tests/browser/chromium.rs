//! Chromium as its user sees it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::webdriver::{WebDriver, program};

/// What Chromium calls itself when it has a window.
pub(crate) const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 \
    (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
/// A phone, by its own account.
pub(crate) const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \
    AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1";

/// How long a page may take to do what it does by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with a profile of its own. Ends when dropped.
pub(crate) struct Chromium {
    driver: WebDriver,
    _profile: TempDir,
}

impl Chromium {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// A browser that calls itself otherwise.
    pub(crate) fn named(agent: &str) -> Self {
        Self::with(&[&format!("--user-agent={agent}")])
    }

    pub(crate) fn with(switches: &[&str]) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let profile_switch = format!("--user-data-dir={}", profile.path().display());
        let mut all = vec![
            "--headless=new",
            "--hide-scrollbars",
            "--no-first-run",
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            // Containers often allow none, and the pages are our own.
            "--no-sandbox",
            "--window-size=900,900",
            &profile_switch,
        ];
        all.extend(switches);
        let binary = program(&["chromium", "chromium-browser", "google-chrome", "chrome"]);
        let options = json!({"binary": binary, "args": all});
        let driver = WebDriver::start(&options, profile.path());
        Self {
            driver,
            _profile: profile,
        }
    }

    pub(crate) fn open(&self, url: &str) {
        self.driver.post("/url", &json!({"url": url}));
    }

    /// Opens another tab at an address, and goes on there. Returns its handle.
    pub(crate) fn open_tab(&self, url: &str) -> Value {
        let tab = self.driver.post("/window/new", &json!({"type": "tab"}));
        self.switch_to(&tab["handle"]);
        self.open(url);
        tab["handle"].clone()
    }

    /// Goes on in another tab.
    pub(crate) fn switch_to(&self, tab: &Value) {
        self.driver.post("/window", &json!({"handle": tab}));
    }

    pub(crate) fn back(&self) {
        self.driver.leave("/back");
    }

    pub(crate) fn reload(&self) {
        self.driver.leave("/refresh");
    }

    /// Clicks what leads to another page, and waits for that.
    pub(crate) fn click(&self, css: &str) {
        let element = self.driver.find(css);
        self.driver.leave(&format!("{element}/click"));
    }

    /// As [`Chromium::click`], for what is in a frame and leads the whole page elsewhere.
    pub(crate) fn click_in_frame(&self, frame: &str, css: &str) {
        let frame = self.driver.find_element(frame);
        self.driver.post("/frame", &json!({"id": frame}));
        self.click(css);
        self.driver.post("/frame", &json!({"id": null}));
    }

    pub(crate) fn fill(&self, css: &str, text: &str) {
        let element = self.driver.find(css);
        self.driver.post(&format!("{element}/clear"), &json!({}));
        let typed = json!({"text": text});
        self.driver.post(&format!("{element}/value"), &typed);
    }

    /// Path and query of the page.
    pub(crate) fn path(&self) -> String {
        let path = self.run("return location.pathname + location.search");
        path.as_str().unwrap().into()
    }

    /// Waits until the page leads to another one by itself.
    pub(crate) fn comes_to(&self, path: &str) {
        let start = Instant::now();
        while self.path() != path {
            assert!(start.elapsed() < PATIENCE, "still at {}", self.path());
        }
    }

    /// Waits until a script returns what is expected.
    pub(crate) fn comes_to_say(&self, script: &str, expected: &Value) {
        let start = Instant::now();
        loop {
            let said = self.run(script);
            if said == *expected {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "still {said}");
        }
    }

    /// What the page shows.
    pub(crate) fn text(&self) -> String {
        let text = self.run("return document.body.innerText");
        text.as_str().unwrap().into()
    }

    pub(crate) fn count(&self, css: &str) -> u64 {
        let script = format!("return document.querySelectorAll('{css}').length");
        self.run(&script).as_u64().unwrap()
    }

    pub(crate) fn run(&self, script: &str) -> Value {
        self.driver.run(script)
    }

    /// Asks the page's own server, as a script in the page does.
    pub(crate) fn fetch(&self, method: &str, path: &str) -> (u64, String) {
        let script = format!(
            "return fetch('{path}', {{method: '{method}'}})\
             .then(async (answer) => [answer.status, await answer.text()])"
        );
        let answer = self.run(&script);
        (
            answer[0].as_u64().unwrap(),
            answer[1].as_str().unwrap().into(),
        )
    }

    /// Every cookie that the browser keeps, of every site.
    pub(crate) fn jar(&self) -> Vec<Value> {
        let cookies = self.driver.devtools("Network.getAllCookies", &json!({}));
        cookies["cookies"].as_array().unwrap().clone()
    }

    /// The one cookie that the browser keeps.
    pub(crate) fn cookie(&self) -> Value {
        let jar = self.jar();
        assert_eq!(jar.len(), 1, "{jar:#?}");
        jar[0].clone()
    }

    pub(crate) fn devtools(&self, command: &str, params: &Value) -> Value {
        self.driver.devtools(command, params)
    }

    /// Writes a picture of the page, in light colours, to `screenshots/` in cargo's target folder.
    pub(crate) fn screenshot(&self, name: &str, (width, height): (u32, u32)) {
        let light = json!([{"name": "prefers-color-scheme", "value": "light"}]);
        self.devtools("Emulation.setEmulatedMedia", &json!({"features": light}));
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
        let picture = self.devtools("Page.captureScreenshot", &json!({"format": "png"}));
        self.devtools("Emulation.clearDeviceMetricsOverride", &json!({}));
        let picture = BASE64.decode(picture["data"].as_str().unwrap().as_bytes());

        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let folder = target.join("screenshots");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.png")), picture.unwrap()).unwrap();
    }
}
