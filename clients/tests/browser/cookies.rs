//! Every kind of cookie that the builder makes, in the browser's jar after login and logout.

use std::slice;
use std::time::Duration;

use axum::Router;
use serde_json::{Value, json};
use sessionup::{ManagerBuilder, MemoryStore, SameSite};

use super::chromium::Chromium;
use super::support::app::{app, build, clock};
use super::support::serve::Served;

/// A configuration, and what the browser shall make of it.
struct Case {
    name: &'static str,
    /// Where the application is.
    path: &'static str,
    secure: bool,
    http_only: bool,
    same_site: SameSite,
    partitioned: bool,
    persistent: bool,
}

/// The strictest; each case says in what it differs.
const STRICT: Case = Case {
    name: "__Host-id",
    path: "/",
    secure: true,
    http_only: true,
    same_site: SameSite::Strict,
    partitioned: false,
    persistent: false,
};

const CASES: [Case; 12] = [
    STRICT,
    Case {
        persistent: true,
        same_site: SameSite::Lax,
        ..STRICT
    },
    Case {
        same_site: SameSite::None,
        ..STRICT
    },
    Case {
        partitioned: true,
        ..STRICT
    },
    Case {
        partitioned: true,
        persistent: true,
        same_site: SameSite::None,
        ..STRICT
    },
    Case {
        name: "__Host-Http-id",
        ..STRICT
    },
    Case {
        name: "__Http-id",
        path: "/app",
        persistent: true,
        ..STRICT
    },
    Case {
        name: "__Secure-id",
        path: "/app",
        same_site: SameSite::Lax,
        ..STRICT
    },
    Case {
        name: "__Secure-id",
        path: "/app",
        partitioned: true,
        ..STRICT
    },
    Case {
        name: "id",
        http_only: false,
        persistent: true,
        ..STRICT
    },
    Case {
        name: "id",
        secure: false,
        ..STRICT
    },
    Case {
        name: "id",
        path: "/app",
        secure: false,
        persistent: true,
        same_site: SameSite::Lax,
        ..STRICT
    },
];

/// The clock of the tests stands still, and the browser's does not; this is long enough for both.
const LIFETIME: Duration = Duration::from_secs(400 * 24 * 60 * 60);

impl Case {
    fn configure(&self, mut builder: ManagerBuilder) -> ManagerBuilder {
        builder = builder
            .cookie_name(self.name)
            .path(self.path)
            .same_site(self.same_site);
        if !self.secure {
            builder = builder.insecure_http();
        }
        if !self.http_only {
            builder = builder.insecure_script_access();
        }
        if self.partitioned {
            builder = builder.partitioned();
        }
        if self.persistent {
            builder = builder.expires_in(LIFETIME);
        }
        builder
    }

    fn serve(&self) -> Served {
        let app = app(&build(MemoryStore::new(), &clock(), |builder| {
            self.configure(builder)
        }));
        Served::new(match self.path {
            "/" => app,
            path => Router::new().nest(path, app),
        })
    }

    fn at(&self, route: &str) -> String {
        format!("{}{route}", self.path.trim_end_matches('/'))
    }

    /// What the jar shall hold after the login, and what of it depends on the case.
    fn expected(&self) -> Value {
        json!({
            "name": self.name,
            "domain": "localhost",
            "path": self.path,
            "secure": self.secure,
            "httpOnly": self.http_only,
            "sameSite": self.same_site.to_string(),
            "session": !self.persistent,
            "partitioned": self.partitioned,
        })
    }
}

fn kept(cookie: &Value) -> Value {
    json!({
        "name": cookie["name"],
        "domain": cookie["domain"],
        "path": cookie["path"],
        "secure": cookie["secure"],
        "httpOnly": cookie["httpOnly"],
        "sameSite": cookie["sameSite"],
        "session": cookie["session"],
        "partitioned": cookie["partitionKey"].is_object(),
    })
}

#[test]
#[ignore = "needs chromium and chromedriver"]
fn login_fills_the_jar_and_logout_empties_it() {
    let browser = Chromium::start();
    for case in &CASES {
        let expected = case.expected();
        let served = case.serve();
        browser.open(&format!(
            "{}{}",
            served.url("localhost"),
            case.at("/static")
        ));

        assert_eq!(browser.fetch("POST", &case.at("/login/ann")).0, 200);
        let jar = browser.jar();
        assert_eq!(
            jar.iter().map(kept).collect::<Vec<_>>(),
            slice::from_ref(&expected)
        );
        let seen = browser.run("return document.cookie") != "";
        assert_eq!(seen, !case.http_only, "{expected}");
        let private = browser.fetch("GET", &case.at("/private"));
        assert_eq!(private, (200, "ann".into()), "{expected}");

        assert_eq!(browser.fetch("POST", &case.at("/logout")).0, 200);
        assert_eq!(browser.jar(), [] as [Value; 0], "{expected}");
        assert_eq!(browser.fetch("GET", &case.at("/private")).0, 401);
    }
}

/// A second login replaces the cookie in the jar, whatever names it.
#[test]
#[ignore = "needs chromium and chromedriver"]
fn second_login_leaves_one_cookie() {
    let browser = Chromium::start();
    for case in &CASES {
        let served = case.serve();
        browser.open(&format!(
            "{}{}",
            served.url("localhost"),
            case.at("/static")
        ));
        browser.fetch("POST", &case.at("/login/ann"));
        let first = browser.cookie();

        browser.fetch("POST", &case.at("/login/bob"));

        assert_ne!(
            browser.cookie()["value"],
            first["value"],
            "{}",
            case.expected()
        );
        let user = browser.fetch("GET", &case.at("/private"));
        assert_eq!(user, (200, "bob".into()), "{}", case.expected());
        browser.fetch("POST", &case.at("/logout"));
        assert_eq!(browser.jar(), [] as [Value; 0], "{}", case.expected());
    }
}
