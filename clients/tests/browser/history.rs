//! The back button after a logout.

use super::chromium::Chromium;
use super::devices::Stage;

fn shows_nothing_private(browser: &Chromium) {
    assert_eq!(browser.path(), "/login");
    assert_eq!(browser.count("ul.devices"), 0);
    let text = browser.text();
    assert!(!text.contains("is logged in"), "{text}");
}

#[test]
#[ignore = "needs chromium and chromedriver"]
fn back_after_logout_shows_nothing_private() {
    let Stage { laptop, .. } = &Stage::new();
    assert!(laptop.text().contains("Here ann is logged in"));

    laptop.click("nav form button");
    assert_eq!(laptop.path(), "/");
    laptop.back();

    shows_nothing_private(laptop);
}

/// The device was logged out by another one, so its own cookie did not change.
#[test]
#[ignore = "needs chromium and chromedriver"]
fn reload_after_revocation_shows_nothing_private() {
    let Stage { laptop, phone, .. } = &Stage::new();
    assert!(phone.text().contains("Here ann is logged in"));

    laptop.click("li.card:not(.current) button");
    phone.reload();

    shows_nothing_private(phone);
}
