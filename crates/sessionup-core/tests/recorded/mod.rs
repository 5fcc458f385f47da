//! Reading the cases of `corpus/forwarding.md`.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "shared by test binaries that each use a part of it"
)]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sessionup_core::{ForwardingHeader, TrustedProxies};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forwarding {
    pub name: String,
    config: Option<Config>,
    pub peer: Option<IpAddr>,
    lines: Vec<Line>,
    pub expected: Option<IpAddr>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserAgent {
    pub name: String,
    user_agent: Text,
    pub os: String,
    pub browser: String,
    pub version: Option<u32>,
    pub kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    networks: Option<Vec<String>>,
    hops: Option<usize>,
    header: Option<String>,
    single: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Once(String, Text),
    Often(String, Text, usize),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Pieces(Vec<Piece>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Piece {
    Once(String),
    Often(String, usize),
}

impl Forwarding {
    pub fn all() -> Vec<Self> {
        read("forwarding.jsonl", |case: &Self| &case.name)
    }

    pub fn proxies(&self) -> Option<TrustedProxies> {
        let config = self.config.as_ref()?;
        let proxies = match (&config.networks, config.hops) {
            (Some(networks), None) => TrustedProxies::networks(networks).unwrap(),
            (None, Some(hops)) => TrustedProxies::hops(hops).unwrap(),
            _ => panic!("{}: either networks or hops", self.name),
        };
        Some(match (config.header.as_deref(), config.single.as_deref()) {
            (None, None) => proxies,
            (Some("forwarded"), None) => proxies.header(ForwardingHeader::Forwarded),
            (None, Some(name)) => proxies.header(ForwardingHeader::single(name).unwrap()),
            (header, _) => panic!("{}: {header:?}", self.name),
        })
    }

    /// The names and values of the header lines.
    pub fn lines(&self) -> Vec<(&str, Vec<u8>)> {
        let lines = self.lines.iter().map(|line| match line {
            Line::Once(name, text) => (name, text, 1),
            Line::Often(name, text, times) => (name, text, *times),
        });
        lines
            .flat_map(|(name, text, times)| vec![(name.as_str(), text.bytes()); times])
            .collect()
    }
}

impl UserAgent {
    pub fn all() -> Vec<Self> {
        read("user_agent.jsonl", |case: &Self| &case.name)
    }

    pub fn header(&self) -> Vec<u8> {
        self.user_agent.bytes()
    }
}

impl Text {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Plain(text) => unescape(text),
            Self::Pieces(pieces) => {
                let pieces = pieces.iter().map(|piece| match piece {
                    Piece::Once(text) => unescape(text),
                    Piece::Often(text, times) => unescape(text).repeat(*times),
                });
                pieces.flatten().collect()
            }
        }
    }
}

/// Puts bytes in place of `\xNN`.
fn unescape(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        match u8::from_str_radix(digits, 16) {
            Ok(byte) => bytes.push(byte),
            Err(_) => panic!("no byte: \\x{digits}"),
        }
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

fn read<C: DeserializeOwned>(file: &str, name: impl Fn(&C) -> &String) -> Vec<C> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus");
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    let cases: Vec<C> = text.lines().map(parse).collect();
    let names: BTreeSet<_> = cases.iter().map(name).collect();
    assert_eq!(names.len(), cases.len(), "{file}: a name is there twice");
    assert!(!cases.is_empty(), "{file}: no cases");
    cases
}
