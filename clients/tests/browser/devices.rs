//! The demo, by two browsers of one user.

use serde_json::{Value, json};

use super::chromium::{CHROME, Chromium, SAFARI};
use super::support::server::{Home, Server};

const PASSWORD: &str = "correct horse battery";

impl Chromium {
    fn register(&self, server: &Server) {
        self.enter(server, "/register", PASSWORD);
        assert_eq!(self.path(), "/devices?logged-in");
    }

    fn log_in(&self, server: &Server) {
        self.enter(server, "/login", PASSWORD);
        assert_eq!(self.path(), "/devices?logged-in");
    }

    fn enter(&self, server: &Server, page: &str, password: &str) {
        self.open(&format!("{}{page}", server.address()));
        self.fill("#name", "ann");
        self.fill("#password", password);
        self.click("main form button");
    }

    /// Clicks a link of the navigation, and says where that led.
    fn next_click(&self) -> String {
        self.click("nav a[href='/password']");
        self.path()
    }
}

/// A server, and a user who is logged in on a laptop and a phone. Both show the devices.
pub(crate) struct Stage {
    pub laptop: Chromium,
    pub phone: Chromium,
    pub server: Server,
    home: Home,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let home = Home::new();
        let server = home.start();
        let (laptop, phone) = (Chromium::named(CHROME), Chromium::named(SAFARI));
        laptop.register(&server);
        phone.log_in(&server);
        laptop.open(&format!("{}/devices", server.address()));
        Self {
            laptop,
            phone,
            server,
            home,
        }
    }
}

#[test]
#[ignore = "needs chromium and chromedriver"]
fn user_revokes_the_other_device_whose_page_is_left_at_once() {
    let stage = Stage::new();
    let (laptop, phone) = (&stage.laptop, &stage.phone);
    for device in [laptop, phone] {
        assert_eq!(device.count("ul.devices > li"), 2);
        assert_eq!(device.count(".badge"), 1);
        let text = device.text();
        assert!(text.contains("Safari 26 on iOS"), "{text}");
        assert!(text.contains("Chrome 156 on Linux"), "{text}");
    }
    laptop.screenshot("devices", (760, 800));

    laptop.click("li.card:not(.current) button");

    assert_eq!(laptop.path(), "/devices?logged-out");
    assert_eq!(laptop.count("ul.devices > li"), 1);
    phone.comes_to("/login");
    assert_eq!(laptop.next_click(), "/password");
    laptop.screenshot("password", (760, 560));
    phone.screenshot("login", (760, 480));
    phone.log_in(&stage.server);
}

#[test]
#[ignore = "needs chromium and chromedriver"]
fn cookie_is_kept_as_the_application_wants_it() {
    let home = Home::new();
    let server = home.start();
    let laptop = Chromium::start();

    laptop.register(&server);

    let params = json!({"urls": [server.address()]});
    let cookies = laptop.devtools("Network.getCookies", &params);
    let cookie = cookies["cookies"][0].clone();
    let kept = |field: &str| cookie[field].clone();
    assert_eq!(cookies["cookies"].as_array().unwrap().len(), 1);
    assert_eq!(kept("name"), "__Host-id");
    assert_eq!([kept("domain"), kept("path")], ["localhost", "/"]);
    assert_eq!([kept("secure"), kept("httpOnly")], [true, true]);
    assert_eq!(
        [kept("sameSite"), kept("session")],
        [json!("Strict"), json!(false)]
    );
    assert_eq!(laptop.run("return document.cookie"), "");
}

/// Over plain HTTP the browser drops the cookie by any name but localhost.
#[test]
#[ignore = "needs chromium and chromedriver"]
fn login_whose_cookie_is_not_kept_is_explained() {
    let home = Home::new();
    let server = home.start();
    let laptop = Chromium::with(&["--host-resolver-rules=MAP app.test 127.0.0.1"]);
    let here = server.address().replace("localhost", "app.test");
    laptop.open(&format!("{here}/register"));
    laptop.fill("#name", "ann");
    laptop.fill("#password", PASSWORD);
    laptop.click("main form button");

    assert_eq!(laptop.path(), "/login?cookie-not-kept");
    let text = laptop.text();
    assert!(text.contains("did not keep the cookie"), "{text}");

    laptop.click("#problem a");
    laptop.fill("#name", "ann");
    laptop.fill("#password", PASSWORD);
    laptop.click("main form button");
    assert_eq!(laptop.path(), "/devices?logged-in");
}

#[test]
#[ignore = "needs chromium and chromedriver"]
fn user_logs_out_everywhere() {
    let stage = Stage::new();
    let (laptop, phone) = (&stage.laptop, &stage.phone);

    laptop.click("button.danger");

    assert_eq!(laptop.path(), "/");
    assert_eq!(laptop.jar(), [] as [Value; 0]);
    assert_eq!(laptop.count("nav form"), 0);
    phone.comes_to("/login");
}

#[test]
#[ignore = "needs chromium and chromedriver"]
fn password_change_logs_out_the_other_device_and_changes_the_token() {
    let stage = Stage::new();
    let (laptop, phone) = (&stage.laptop, &stage.phone);
    let old = laptop.cookie();
    let new_password = "staple staple staple";

    assert_eq!(laptop.next_click(), "/password");
    laptop.fill("#current_password", PASSWORD);
    laptop.fill("#new_password", new_password);
    laptop.click("main form button");

    assert_eq!(laptop.path(), "/devices?password-changed");
    assert_eq!(laptop.count("ul.devices > li"), 1);
    assert_ne!(laptop.cookie()["value"], old["value"]);
    phone.comes_to("/login");
    phone.enter(&stage.server, "/login", PASSWORD);
    assert_eq!(phone.path(), "/login");
    assert!(phone.text().contains("do not go together"));
    phone.enter(&stage.server, "/login", new_password);
    assert_eq!(phone.path(), "/devices?logged-in");
    assert_eq!(phone.count("ul.devices > li"), 2);
}

#[test]
#[ignore = "needs chromium and chromedriver"]
fn logins_survive_kill_9_and_logout_empties_the_jar() {
    let Stage {
        laptop,
        phone,
        server,
        home,
    } = Stage::new();

    server.kill();
    let server = home.start();

    for device in [&laptop, &phone] {
        device.open(&format!("{}/devices", server.address()));
        assert_eq!(device.path(), "/devices");
        assert_eq!(device.count("ul.devices > li"), 2);
    }
    laptop.click("nav form button");
    assert_eq!(laptop.path(), "/");
    assert_eq!(laptop.jar(), [] as [Value; 0]);
    assert_eq!(phone.next_click(), "/password");
}

/// Session fixation: the attacker knows the token that the victim's browser has before the login.
#[test]
#[ignore = "needs chromium and chromedriver"]
fn token_from_before_the_login_is_dead_after_it() {
    let home = Home::new();
    let server = home.start();
    let (victim, attacker) = (Chromium::start(), Chromium::start());
    attacker.register(&server);
    let planted = attacker.cookie();
    victim.open(&format!("{}/login", server.address()));
    let cookie = json!({
        "name": "__Host-id", "value": planted["value"], "url": server.address(),
        "path": "/", "secure": true, "httpOnly": true,
    });
    victim.devtools("Network.setCookie", &cookie);
    victim.open(&format!("{}/devices", server.address()));
    assert_eq!(victim.path(), "/devices", "the token is live");

    victim.log_in(&server);

    assert_ne!(victim.cookie()["value"], planted["value"]);
    assert_eq!(victim.count("ul.devices > li"), 1);
    attacker.comes_to("/login");
}
