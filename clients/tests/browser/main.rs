//! Chromium, driven through WebDriver, against the demo and against small applications.
//!
//! Needs `chromium` and `chromedriver`; `clients/run` runs these tests where they are.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod chromium;
mod cookies;
mod cross_site;
mod devices;
mod history;
mod refused;
#[path = "../support/mod.rs"]
mod support;
mod tabs;
mod tossing;
mod webdriver;
