//! Who the stories are about.

use std::sync::{Arc, Mutex};

use super::support::browser::{Browser, CHROME, CURL, FIREFOX, SAFARI, Seen};
use super::support::server::Server;

pub(crate) const ANNS: &str = "correct horse battery";
pub(crate) const BOBS: &str = "staple & 100 % sôme more";

/// Two users with two devices each, all logged in.
pub(crate) struct Cast {
    pub ann: Browser,
    pub anns_phone: Browser,
    pub bob: Browser,
    pub bobs_phone: Browser,
}

impl Cast {
    pub(crate) fn meet(server: &Server) -> Self {
        Self::meet_watched(server, &Arc::default())
    }

    pub(crate) fn meet_watched(server: &Server, seen: &Arc<Mutex<Seen>>) -> Self {
        let browser = |agent| Browser::watched(server.address(), agent, seen);
        let mut cast = Self {
            ann: browser(FIREFOX),
            anns_phone: browser(SAFARI),
            bob: browser(CHROME),
            bobs_phone: browser(CURL),
        };
        cast.ann.register("ann", ANNS);
        cast.bob.register("bob", BOBS);
        cast.anns_phone.log_in("ann", ANNS);
        cast.bobs_phone.log_in("bob", BOBS);
        cast
    }

    pub(crate) fn go_to(&mut self, server: &Server) {
        let Self {
            ann,
            anns_phone,
            bob,
            bobs_phone,
        } = self;
        for browser in [ann, anns_phone, bob, bobs_phone] {
            browser.go_to(server.address());
        }
    }

    /// Says who is logged in: Ann, her phone, Bob, his phone.
    pub(crate) fn logged_in(&mut self) -> [bool; 4] {
        [
            self.ann.is_logged_in(),
            self.anns_phone.is_logged_in(),
            self.bob.is_logged_in(),
            self.bobs_phone.is_logged_in(),
        ]
    }
}
