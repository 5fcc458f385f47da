//! The page of devices in more tabs than a browser has connections to a site.

use serde_json::{Value, json};

use super::chromium::Chromium;
use super::devices::Stage;

/// More than the six connections of HTTP/1.1.
const TABS: usize = 9;

/// How many tabs hold the stream, and how many wait for it.
const STREAMS: &str = "return navigator.locks.query().then((locks) => \
    [locks.held.length, locks.pending.length])";

fn open_many(browser: &Chromium, url: &str) -> Vec<Value> {
    let tabs = (0..TABS).map(|_| browser.open_tab(url));
    tabs.collect()
}

#[test]
#[ignore = "needs chromium and chromedriver"]
fn nine_tabs_load_and_learn_of_the_end_together() {
    let stage = Stage::new();
    let (laptop, phone) = (&stage.laptop, &stage.phone);
    let url = format!("{}/devices", stage.server.address());

    let tabs = open_many(phone, &url);
    for tab in &tabs {
        phone.switch_to(tab);
        assert_eq!(phone.count("ul.devices > li"), 2);
    }
    let streams = phone.run(STREAMS);
    assert_eq!(streams[0], 1, "{streams}");
    phone.open_tab(&format!("{}/password", stage.server.address()));
    assert_eq!(phone.count("#new_password"), 1);

    laptop.click("li.card:not(.current) button");

    for tab in &tabs {
        phone.switch_to(tab);
        phone.comes_to("/login");
    }
}

#[test]
#[ignore = "needs chromium and chromedriver"]
fn tab_that_takes_over_the_stream_learns_of_the_end() {
    let stage = Stage::new();
    let (laptop, phone) = (&stage.laptop, &stage.phone);
    let url = format!("{}/devices", stage.server.address());
    let tabs = open_many(phone, &url);

    // Each leaves with the stream if it has it.
    for tab in tabs.iter().skip(1) {
        phone.switch_to(tab);
        phone.open(&format!("{}/password", stage.server.address()));
    }
    phone.switch_to(&tabs[0]);
    phone.comes_to_say(STREAMS, &json!([1, 0]));

    laptop.click("li.card:not(.current) button");

    phone.comes_to("/login");
}

/// Plain HTTP by another name than localhost: there are no locks, and the page works all the same.
#[test]
#[ignore = "needs chromium and chromedriver"]
fn tab_without_locks_learns_of_the_end() {
    let stage = Stage::new();
    let (laptop, phone) = (&stage.laptop, &stage.phone);
    let hide = json!({"source": "Object.defineProperty(navigator, 'locks', {value: undefined})"});
    phone.devtools("Page.addScriptToEvaluateOnNewDocument", &hide);
    phone.open(&format!("{}/devices", stage.server.address()));
    assert_eq!(phone.run("return navigator.locks === undefined"), true);

    laptop.click("li.card:not(.current) button");

    phone.comes_to("/login");
}
