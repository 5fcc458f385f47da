//! Values of every kind that a record may hold, each with a name.

use std::collections::BTreeMap;

use sessionup_core::{Agent, Client, DeviceKind, Meta, MetaChange, MetaError};

use crate::sample::entries;

/// Clients of every kind: addresses, agents that are known in part, kinds of devices.
pub(crate) fn clients() -> Vec<(&'static str, Client)> {
    let at = |ip: &str, agent| Client::new(ip.parse().ok(), agent);
    let mut clients = vec![
        ("nothing known", Client::default()),
        ("IPv4", at("192.0.2.1", firefox(Some(140)))),
        ("IPv6", at("2001:db8::ff00:42:8329", firefox(None))),
        ("lowest IPv4", at("0.0.0.0", firefox(Some(0)))),
        ("lowest IPv6", at("::", firefox(Some(1)))),
        ("loopback IPv6", at("::1", firefox(Some(u32::MAX)))),
        ("system only", at("", Agent::new("Linux", ""))),
        ("browser only", at("", Agent::new("", "Firefox"))),
        (
            "other scripts",
            at("", Agent::new("\u{30ea}", "\"'\u{1f98a}")),
        ),
    ];
    let kinds = [
        DeviceKind::Bot,
        DeviceKind::Console,
        DeviceKind::Desktop,
        DeviceKind::Mobile,
        DeviceKind::Tablet,
        DeviceKind::Tool,
        DeviceKind::Tv,
        DeviceKind::Unknown,
    ];
    clients.extend(kinds.map(|kind| {
        let mut agent = firefox(None);
        agent.kind = kind;
        (kind.as_str(), at("", agent))
    }));
    clients
}

fn firefox(version: Option<u32>) -> Agent {
    let mut agent = Agent::new("Linux", "Firefox");
    agent.version = version;
    agent
}

/// Metas of every kind: all that JSON has, odd names, and each bound.
pub(crate) fn metas() -> Vec<(&'static str, Meta)> {
    let odd = [
        "\u{e9}",
        "e\u{301}",
        "\0",
        "a.b",
        "$set",
        "\u{1f98a}",
        "\"'\\",
        " ",
    ];
    let fields = ["id", "user_key", "expires_at", "meta", "secret_hash"];
    let fractions = [0.1, 1.0, -2.5e-3, 5e-324, f64::MAX, f64::MIN];
    let tree = BTreeMap::from([("a", vec![BTreeMap::from([("b", 1)])]), ("", vec![])]);
    let change = MetaChange::new;
    let longest = "k".repeat(Meta::MAX_KEY_BYTES);
    vec![
        ("none", Meta::new()),
        ("null", meta(change().set("null", ()))),
        ("booleans", meta(change().set("flags", [true, false]))),
        (
            "whole numbers",
            meta(change().set("n", (0, -1, i64::MIN, u64::MAX))),
        ),
        ("fractions", meta(change().set("x", fractions))),
        ("empty values", meta(change().set("empty", ("", [(); 0])))),
        ("texts", meta(change().set("texts", odd))),
        ("odd names", named(&odd)),
        ("names of fields", named(&fields)),
        (
            "objects in lists in objects",
            meta(change().set("tree", tree)),
        ),
        ("longest name", named(&[&longest])),
        ("deepest", deepest()),
        ("most entries", most_entries()),
        ("largest", largest()),
    ]
}

/// Changes that would pass a bound of a meta that holds [`many`] entries, one fewer than the most.
pub(crate) fn metas_out_of_bounds() -> Vec<(&'static str, MetaChange)> {
    let text = "x".repeat(Meta::MAX_TOTAL_BYTES);
    let longer = "k".repeat(Meta::MAX_KEY_BYTES + 1);
    vec![
        ("too many entries", entries(&[("one", 1), ("two", 2)])),
        ("too large", MetaChange::new().set("large", text).unwrap()),
        ("no name", entries(&[("", 1)]).remove("entry 0")),
        ("too long a name", entries(&[(&longer, 1)])),
    ]
}

/// Makes so many entries.
pub(crate) fn many(count: usize) -> MetaChange {
    (0..count).fold(MetaChange::new(), |change, n| {
        change.set(format!("entry {n}"), n).unwrap()
    })
}

fn meta(change: Result<MetaChange, MetaError>) -> Meta {
    let mut meta = Meta::new();
    meta.merge(&change.unwrap()).unwrap();
    meta
}

fn named(names: &[&str]) -> Meta {
    let mut names = names.iter();
    meta(names.try_fold(MetaChange::new(), |change, name| change.set(*name, name)))
}

fn deepest() -> Meta {
    let mut meta = Meta::new();
    for _ in 0..Meta::MAX_DEPTH {
        let inner = meta.value("deep").cloned();
        meta.insert("deep", Vec::from_iter(inner)).unwrap();
    }
    meta
}

fn most_entries() -> Meta {
    let mut meta = Meta::new();
    for n in 0..Meta::MAX_ENTRIES {
        meta.insert(format!("entry {n}"), n).unwrap();
    }
    meta
}

fn largest() -> Meta {
    const NAME_AND_QUOTES: usize = 3;
    let text = "x".repeat(Meta::MAX_TOTAL_BYTES - NAME_AND_QUOTES);
    meta(MetaChange::new().set("k", text))
}
