//! An application with the endpoints, and who uses it.

use std::time::Duration;

use axum::Router;
use http::Request;
use sessionup::endpoints::{AdminEndpoints, UserEndpoints};
use sessionup::{CurrentSession, Manager};

use super::support::{Browser, Reply, SAFARI, Switch, app, build, clock};

/// Where the endpoints are nested.
pub(crate) const OWN: &str = "/sessions";
pub(crate) const ADMIN: &str = "/admin/sessions";

pub(crate) fn users(manager: &Manager) -> UserEndpoints {
    UserEndpoints::new(manager)
}

/// Root is the administrator.
pub(crate) fn administration(manager: &Manager) -> AdminEndpoints {
    AdminEndpoints::new(manager, async |session: CurrentSession| {
        session.user_key.as_str() == "root"
    })
}

/// Ann with two devices, Bob, the administrator and a stranger.
pub(crate) struct Stage {
    pub(crate) store: Switch,
    pub(crate) manager: Manager,
    pub(crate) ann: Browser,
    pub(crate) phone: Browser,
    pub(crate) bob: Browser,
    pub(crate) root: Browser,
    pub(crate) stranger: Browser,
    /// Has a token that was revoked.
    pub(crate) dead: Browser,
    /// Every token that was issued.
    pub(crate) tokens: Vec<String>,
    ids: [(&'static str, String); 4],
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(|manager, app| {
            app.nest(OWN, users(manager).router())
                .nest(ADMIN, administration(manager).router())
        })
        .await
    }

    /// Sets endpoints up in another way, around or beside the routes to log in.
    pub(crate) async fn with(mount: impl FnOnce(&Manager, Router) -> Router) -> Self {
        let store = Switch::default();
        let clock = clock();
        let manager = build(store.clone(), &clock, |builder| builder);
        let app = mount(&manager, app(&manager));
        let browser = || Browser::new(&app);
        let (mut ann, mut phone) = (browser(), browser().agent(SAFARI));
        let (mut bob, mut root, mut dead) = (browser(), browser(), browser());
        let ids = [
            ("{current}", ann.login("ann").await),
            // Later, or the order of the list would be that of random ids.
            ("{other}", {
                clock.advance(Duration::from_secs(1));
                phone.login("ann").await
            }),
            ("{bobs}", bob.login("bob").await),
            ("{roots}", root.login("root").await),
        ];
        dead.login("ann").await;
        let mut ended = dead.clone();
        assert_eq!(ended.post("/logout").await.status, 200);
        let all = [&ann, &phone, &bob, &root, &dead];
        let tokens = all.map(|browser| browser.cookie.clone().unwrap());
        Self {
            tokens: tokens.into(),
            store,
            manager,
            ann,
            phone,
            bob,
            root,
            stranger: browser(),
            dead,
            ids,
        }
    }

    /// Puts ids where a path names whose it is.
    pub(crate) fn path(&self, path: &str) -> String {
        let ids = self.ids.iter();
        ids.fold(path.to_owned(), |path, (name, id)| path.replace(name, id))
    }

    /// Says who is logged in: Ann, her phone, Bob, root.
    pub(crate) async fn logged_in(&mut self) -> [bool; 4] {
        let mut logged_in = [false; 4];
        let browsers = [
            &mut self.ann,
            &mut self.phone,
            &mut self.bob,
            &mut self.root,
        ];
        for (browser, is) in browsers.into_iter().zip(&mut logged_in) {
            *is = browser.user().await != "nobody";
        }
        logged_in
    }
}

/// Reads a list by following `Link` from page to page. Returns the ids, and how many pages there were.
pub(crate) async fn follow(browser: &mut Browser, path: &str, query: &str) -> (Vec<String>, u32) {
    let (mut ids, mut pages) = (Vec::new(), 0);
    let mut query = Some(query.to_owned());
    while let Some(this) = query {
        let reply = browser.get(&format!("{path}{this}")).await;
        assert_eq!(reply.status, 200, "{this}: {}", reply.body);
        let list = reply.json();
        let list = list.as_array().unwrap().iter();
        ids.extend(list.map(|session| session["id"].as_str().unwrap().to_owned()));
        query = reply.header("link").map(|link| {
            let next = link.strip_prefix('<').unwrap();
            next.strip_suffix(">; rel=\"next\"").unwrap().to_owned()
        });
        pages += 1;
        assert!(pages < 100, "the pages have no end");
    }
    (ids, pages)
}

pub(crate) async fn ask(browser: &mut Browser, method: &str, path: &str) -> Reply {
    let request = Request::builder().method(method).uri(path);
    browser.send(request).await
}
