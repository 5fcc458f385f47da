//! Who sent a request: the cases of the corpus, handed to the pure functions.

#![allow(clippy::unwrap_used)]

mod recorded;

use recorded::{Forwarding, UserAgent};
use sessionup_core::{Agent, DeviceKind};

#[test]
fn forwarding_headers_tell_what_the_corpus_says() {
    for case in Forwarding::all() {
        let lines = case.lines();
        let client = match case.proxies() {
            None => case.peer.map(|peer| peer.to_canonical()),
            Some(proxies) => {
                let ours = |name: &&str| name.eq_ignore_ascii_case(proxies.header_name());
                let lines = lines.iter().filter(|(name, _)| ours(name));
                proxies.client_ip(case.peer, lines.map(|(_, value)| value.as_slice()))
            }
        };
        assert_eq!(client, case.expected, "{}", case.name);
    }
}

#[test]
fn user_agents_tell_what_the_corpus_says() {
    for case in UserAgent::all() {
        let mut expected = Agent::new(&case.os, &case.browser);
        expected.version = case.version;
        expected.kind = DeviceKind::from_name(&case.kind).unwrap();
        assert_eq!(Agent::parse(&case.header()), expected, "{}", case.name);
    }
}
