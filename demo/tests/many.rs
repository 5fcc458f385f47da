//! A user with more devices than there are on a page.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod support;

use std::collections::BTreeSet;

use serde_json::Value;
use sessionup::Peer;
use support::browser::{Answer, Browser, FIREFOX};
use support::in_process::InProcess;

const ANNS: &str = "correct horse battery";
const DEVICES: usize = 60;

fn ann_with_many_devices(app: &InProcess) -> Browser {
    let mut ann = Browser::new(&app.address, FIREFOX);
    ann.register("ann", ANNS);
    app.block_on(async {
        for _ in 1..DEVICES {
            let sessions = app.manager.sessions([], Peer::default());
            sessions.init("ann").await.unwrap();
        }
    });
    ann
}

/// Follows the pages to the last, and returns them.
fn pages(
    mut get: impl FnMut(&str) -> Answer,
    next: impl Fn(&Answer) -> Option<String>,
) -> Vec<Answer> {
    let mut pages = vec![get("/devices")];
    while let Some(path) = next(&pages[pages.len() - 1]) {
        assert!(pages.len() < DEVICES, "pages without end");
        pages.push(get(&path));
    }
    pages
}

#[test]
fn page_of_many_devices_leads_to_all() {
    let app = InProcess::start();
    let mut ann = ann_with_many_devices(&app);
    let next = |page: &Answer| {
        let text = page.text();
        let (before, _) = text.split_once("\" rel=\"next\"")?;
        let (_, path) = before.rsplit_once("href=\"")?;
        Some(path.to_owned())
    };
    let pages = pages(|path| ann.get(path), next);

    assert_eq!(pages.len(), 3);
    let mut actions = BTreeSet::new();
    for (number, page) in pages.iter().enumerate() {
        let text = page.text();
        assert!(text.contains("Log out everywhere else"), "page {number}");
        assert_eq!(text.contains("First devices"), number > 0, "page {number}");
        let (_, list) = text.split_once("<ul class=\"devices\">").unwrap();
        let forms = list.split("action=\"/devices/").skip(1);
        let ids = forms.filter_map(|form| form.split_once("/revoke\""));
        let ids: Vec<_> = ids.map(|(id, _)| id.to_owned()).collect();
        assert!(ids.len() <= 25, "page {number} has {}", ids.len());
        actions.extend(ids);
    }
    assert_eq!(actions.len(), DEVICES);
}

#[test]
fn list_of_many_devices_leads_to_all() {
    let app = InProcess::start();
    let mut ann = ann_with_many_devices(&app);
    let next = |page: &Answer| {
        let link = page.header("link")?;
        let link = link.strip_prefix("<")?.strip_suffix(">; rel=\"next\"")?;
        Some(link.to_owned())
    };
    let pages = pages(|path| ann.get_json(path), next);

    let mut ids = Vec::new();
    for page in &pages {
        let devices: Vec<Value> = serde_json::from_slice(&page.body).unwrap();
        assert!(devices.len() <= 25);
        ids.extend(devices.iter().map(|device| device["id"].to_string()));
    }
    assert!(ids.is_sorted());
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>().len(), DEVICES);
}

#[test]
fn page_after_no_session_is_not_found() {
    let app = InProcess::start();
    let mut ann = Browser::new(&app.address, FIREFOX);
    ann.register("ann", ANNS);
    for after in ["", "x", "%FF"] {
        let page = ann.get(&format!("/devices?after={after}"));
        assert_eq!(page.status, 404, "{after}");
    }
    let beyond = ann.get("/devices?after=ffffffff-ffff-ffff-ffff-ffffffffffff");
    assert_eq!(beyond.status, 200);
    assert!(beyond.text().contains("First devices"));
}
