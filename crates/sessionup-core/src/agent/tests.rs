use proptest::prelude::*;
use proptest::sample::select;

use super::DeviceKind::{Bot, Console, Desktop, Mobile, Tablet, Tool, Tv, Unknown};
use super::tables::*;
use super::*;

#[test]
fn reads_what_clients_send() {
    for case in CASES {
        let agent = Agent::parse(case.header.as_bytes());
        let got = (&*agent.os, &*agent.browser, agent.version, agent.kind);
        assert_eq!(got, case.want, "{}", case.name);
        assert!(
            case.header.len() <= Agent::MAX_HEADER_BYTES,
            "{}",
            case.name
        );
    }
}

#[test]
fn is_spoken_of_as_far_as_it_is_known() {
    let cases = [
        ("Linux", "Firefox", Some(140), "Firefox 140 on Linux"),
        ("Linux", "Firefox", None, "Firefox on Linux"),
        ("", "curl", Some(8), "curl 8"),
        ("Android", "", None, "Android"),
        ("Android", "", Some(1), "Android"),
        ("", "", None, "unknown device"),
    ];
    for (os, browser, version, expected) in cases {
        let mut agent = Agent::new(os, browser);
        agent.version = version;
        assert_eq!(agent.to_string(), expected);
    }
}

#[test]
fn survives_hostile_headers() {
    struct Hostile {
        name: &'static str,
        header: Vec<u8>,
        want: Agent,
    }
    let cases = [
        Hostile {
            name: "nothing",
            header: vec![],
            want: Agent::default(),
        },
        Hostile {
            name: "a MiB of brackets",
            header: vec![b'('; 1 << 20],
            want: Agent::default(),
        },
        Hostile {
            name: "a MiB of words",
            header: b"a ".repeat(1 << 19),
            want: Agent::default(),
        },
        Hostile {
            name: "NULs",
            header: vec![0; 300],
            want: Agent::default(),
        },
        Hostile {
            name: "NULs around a product",
            header: b"\0\0curl/8.14.1\0".to_vec(),
            want: agent("", "curl", Some(8), Tool),
        },
        Hostile {
            name: "no UTF-8",
            header: vec![0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80],
            want: Agent::default(),
        },
        Hostile {
            name: "no UTF-8 around a product",
            header: b"\xf0\x9fcurl/8\xff.14".to_vec(),
            want: agent("", "curl", Some(8), Tool),
        },
        Hostile {
            name: "a second header",
            header: b"Wget/1.25\r\nSet-Cookie: admin=1\r\n\r\n".to_vec(),
            want: agent("", "Wget", Some(1), Tool),
        },
        Hostile {
            name: "HTML",
            header: b"<img src=x onerror=alert(1)>\"'&".to_vec(),
            want: Agent::default(),
        },
        Hostile {
            name: "HTML for a version",
            header: b"Mozilla/5.0 (Windows) Firefox/<b>1</b>".to_vec(),
            want: agent("Windows", "Firefox", None, Desktop),
        },
        Hostile {
            name: "HTML for a platform",
            header: b"Mozilla/5.0 (<script>; Linux) Firefox/1".to_vec(),
            want: agent("Linux", "Firefox", Some(1), Desktop),
        },
        Hostile {
            name: "the largest version",
            header: b"Firefox/4294967295".to_vec(),
            want: agent("", "Firefox", Some(u32::MAX), Unknown),
        },
        Hostile {
            name: "a version too large",
            header: b"Firefox/4294967296".to_vec(),
            want: agent("", "Firefox", None, Unknown),
        },
        Hostile {
            name: "a version too long",
            header: [b"Firefox/".as_slice(), &[b'9'; 1000]].concat(),
            want: agent("", "Firefox", None, Unknown),
        },
        Hostile {
            name: "a negative version",
            header: b"Firefox/-1".to_vec(),
            want: agent("", "Firefox", None, Unknown),
        },
        Hostile {
            name: "a version in other digits",
            header: "Firefox/\u{661}\u{662}".into(),
            want: agent("", "Firefox", None, Unknown),
        },
        Hostile {
            name: "a product inside a word",
            header: b"NotFirefox/1".to_vec(),
            want: Agent::default(),
        },
        Hostile {
            name: "a product after the limit",
            header: [&[b' '; Agent::MAX_HEADER_BYTES], b"curl/8".as_slice()].concat(),
            want: Agent::default(),
        },
    ];
    for case in cases {
        assert_eq!(Agent::parse(&case.header), case.want, "{}", case.name);
    }
}

#[test]
fn cuts_through_a_character() {
    // A crab is four bytes long: it ends before, on or after the limit.
    for padding in Agent::MAX_HEADER_BYTES - 14..=Agent::MAX_HEADER_BYTES - 8 {
        let header = format!("{} curl/8\u{1f980}{}", "-".repeat(padding), "x".repeat(99));
        let want = agent("", "curl", Some(8), Tool);
        assert_eq!(Agent::parse(header.as_bytes()), want, "{padding}");
    }
}

#[test]
fn kinds_have_one_name_each() {
    for kind in DeviceKind::ALL {
        assert_eq!(DeviceKind::from_name(kind.as_str()), Some(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    for name in ["", "Mobile", " mobile", "mobile\0", "phone"] {
        assert_eq!(DeviceKind::from_name(name), None, "{name:?}");
    }
}

#[test]
fn serializes_what_is_known() {
    let full = agent("Linux", "Firefox", Some(140), Desktop);
    let json = serde_json::json!({
        "os": "Linux", "browser": "Firefox", "version": 140, "kind": "desktop",
    });
    assert_eq!(serde_json::to_value(full).unwrap(), json);

    let json = serde_json::json!({"os": "", "browser": ""});
    assert_eq!(serde_json::to_value(Agent::default()).unwrap(), json);
}

#[test]
fn any_knowledge_is_some_knowledge() {
    assert!(Agent::new("", "").is_unknown());
    assert!(!Agent::new("Linux", "").is_unknown());
    assert!(!Agent::new("", "Firefox").is_unknown());
    assert!(!agent("", "", None, Bot).is_unknown());
}

#[test]
fn no_entry_hides_another() {
    for &(needle, name) in &[BOTS, TOOLS, BROWSERS].concat() {
        // Some names are only given on some systems.
        let agent = Agent::parse(format!("iPhone {needle}7").as_bytes());
        assert_eq!(agent.browser, name, "{needle}");
    }
    for &(needle, os, _) in SYSTEMS {
        assert_eq!(Agent::parse(needle.as_bytes()).os, os, "{needle}");
    }
    for (product, _) in VERSIONS_ELSEWHERE {
        assert!(needles().contains(product), "{product}");
    }
}

proptest! {
    #[test]
    fn takes_names_from_the_tables_alone(header in any_header()) {
        let agent = Agent::parse(&header);
        let programs = [BOTS, TOOLS, BROWSERS].concat();
        let is_program = programs.iter().any(|(_, name)| agent.browser == *name);
        let is_system = SYSTEMS.iter().any(|(_, os, _)| agent.os == *os);
        prop_assert!(agent.os.is_empty() || is_system, "{}", agent.os);
        prop_assert!(
            agent.browser.is_empty() || agent.browser == ANDROID_BROWSER || is_program,
            "{}", agent.browser
        );
    }

    #[test]
    fn ignores_what_is_after_the_limit(
        header in any_header(),
        more in any_header(),
    ) {
        let mut header = header;
        header.resize(Agent::MAX_HEADER_BYTES, b' ');
        let agent = Agent::parse(&header);
        header.extend(more);
        prop_assert_eq!(Agent::parse(&header), agent);
    }
}

/// Bytes without any sense, or the parser's own needles in any order.
fn any_header() -> impl Strategy<Value = Vec<u8>> {
    let word = (select(needles()), any::<u16>(), select(SEPARATORS));
    let words = proptest::collection::vec(word, 0..40).prop_map(|words| {
        let words = words
            .iter()
            .map(|(needle, number, gap)| format!("{needle}{number}{gap}"));
        words.collect::<String>().into_bytes()
    });
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..2000), words]
}

const SEPARATORS: &[&str] = &[
    "",
    " ",
    "; ",
    ") (",
    "/",
    "\0",
    "\u{1f980}",
    "\r\n",
    "bot",
    "<b>",
];

fn needles() -> Vec<&'static str> {
    let programs = [BOTS, TOOLS, BROWSERS]
        .concat()
        .into_iter()
        .map(|(needle, _)| needle);
    let systems = SYSTEMS.iter().map(|(needle, ..)| *needle);
    let words = [
        TELEVISIONS,
        PHONES,
        &["Mozilla/", "Version/", "rv:", "FBAV/"],
    ]
    .concat();
    programs.chain(systems).chain(words).collect()
}

fn agent(os: &str, browser: &str, version: Option<u32>, kind: DeviceKind) -> Agent {
    Agent {
        version,
        kind,
        ..Agent::new(os, browser)
    }
}

struct Case {
    name: &'static str,
    header: &'static str,
    want: (&'static str, &'static str, Option<u32>, DeviceKind),
}

// What clients sent from 2024 to 2026, by family. Written in November 2026.
const CASES: &[Case] = &[
    // Chrome.
    Case {
        name: "Chrome on Windows",
        header: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                 Gecko) Chrome/142.0.0.0 Safari/537.36",
        want: ("Windows", "Chrome", Some(142), Desktop),
    },
    Case {
        name: "Chrome on macOS",
        header: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, \
                 like Gecko) Chrome/138.0.0.0 Safari/537.36",
        want: ("macOS", "Chrome", Some(138), Desktop),
    },
    Case {
        name: "Chrome on Linux",
        header: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/131.0.0.0 Safari/537.36",
        want: ("Linux", "Chrome", Some(131), Desktop),
    },
    Case {
        name: "Chrome on ChromeOS",
        header: "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like \
                 Gecko) Chrome/139.0.0.0 Safari/537.36",
        want: ("ChromeOS", "Chrome", Some(139), Desktop),
    },
    Case {
        name: "Chrome on an Android phone",
        header: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/141.0.0.0 Mobile Safari/537.36",
        want: ("Android", "Chrome", Some(141), Mobile),
    },
    Case {
        name: "Chrome on an Android tablet",
        header: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/141.0.0.0 Safari/537.36",
        want: ("Android", "Chrome", Some(141), Tablet),
    },
    Case {
        name: "Chrome on an iPhone",
        header: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) CriOS/138.0.7204.53 Mobile/15E148 Safari/604.1",
        want: ("iOS", "Chrome", Some(138), Mobile),
    },
    Case {
        name: "Chrome on an iPad",
        header: "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, \
                 like Gecko) CriOS/138.0.7204.53 Mobile/15E148 Safari/604.1",
        want: ("iPadOS", "Chrome", Some(138), Tablet),
    },
    Case {
        name: "Chrome on an iPad, desktop site",
        header: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, \
                 like Gecko) CriOS/138 Version/11.1.1 Safari/605.1.15",
        want: ("iPadOS", "Chrome", Some(138), Tablet),
    },
    Case {
        name: "Chromium on Ubuntu",
        header: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Ubuntu Chromium/124.0.6367.60 Chrome/124.0.6367.60 Safari/537.36",
        want: ("Linux", "Chromium", Some(124), Desktop),
    },
    Case {
        name: "Chrome on a Cubot phone",
        header: "Mozilla/5.0 (Linux; Android 13; CUBOT_P80) AppleWebKit/537.36 (KHTML, like \
                 Gecko) Chrome/120.0.6099.43 Mobile Safari/537.36",
        want: ("Android", "Chrome", Some(120), Mobile),
    },
    Case {
        name: "Chrome on a Logicom phone",
        header: "Mozilla/5.0 (Linux; Android 7.0; M bot 60) AppleWebKit/537.36 (KHTML, like \
                 Gecko) Chrome/119.0.6045.193 Mobile Safari/537.36",
        want: ("Android", "Chrome", Some(119), Mobile),
    },
    // Safari.
    Case {
        name: "Safari on macOS",
        header: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, \
                 like Gecko) Version/18.5 Safari/605.1.15",
        want: ("macOS", "Safari", Some(18), Desktop),
    },
    Case {
        name: "Safari 26 on macOS",
        header: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, \
                 like Gecko) Version/26.0 Safari/605.1.15",
        want: ("macOS", "Safari", Some(26), Desktop),
    },
    Case {
        name: "Safari on an iPhone",
        header: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
        want: ("iOS", "Safari", Some(18), Mobile),
    },
    Case {
        name: "Safari 26 on an iPhone",
        header: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
        want: ("iOS", "Safari", Some(26), Mobile),
    },
    Case {
        name: "Safari on an iPad, mobile site",
        header: "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, \
                 like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
        want: ("iPadOS", "Safari", Some(18), Tablet),
    },
    Case {
        name: "Safari on an iPod touch",
        header: "Mozilla/5.0 (iPod touch; CPU iPhone OS 15_8 like Mac OS X) \
                 AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.6 Mobile/15E148 \
                 Safari/604.1",
        want: ("iOS", "Safari", Some(15), Mobile),
    },
    // Firefox.
    Case {
        name: "Firefox on Windows",
        header: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 \
                 Firefox/140.0",
        want: ("Windows", "Firefox", Some(140), Desktop),
    },
    Case {
        name: "Firefox ESR on macOS",
        header: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:128.0) Gecko/20100101 \
                 Firefox/128.0",
        want: ("macOS", "Firefox", Some(128), Desktop),
    },
    Case {
        name: "Firefox on Ubuntu",
        header: "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:133.0) Gecko/20100101 \
                 Firefox/133.0",
        want: ("Linux", "Firefox", Some(133), Desktop),
    },
    Case {
        name: "Firefox on FreeBSD",
        header: "Mozilla/5.0 (X11; FreeBSD amd64; rv:127.0) Gecko/20100101 Firefox/127.0",
        want: ("FreeBSD", "Firefox", Some(127), Desktop),
    },
    Case {
        name: "Firefox on OpenBSD",
        header: "Mozilla/5.0 (X11; OpenBSD amd64; rv:132.0) Gecko/20100101 Firefox/132.0",
        want: ("OpenBSD", "Firefox", Some(132), Desktop),
    },
    Case {
        name: "Firefox on an Android phone",
        header: "Mozilla/5.0 (Android 15; Mobile; rv:139.0) Gecko/139.0 Firefox/139.0",
        want: ("Android", "Firefox", Some(139), Mobile),
    },
    Case {
        name: "Firefox on an Android tablet",
        header: "Mozilla/5.0 (Android 14; Tablet; rv:128.0) Gecko/128.0 Firefox/128.0",
        want: ("Android", "Firefox", Some(128), Tablet),
    },
    Case {
        name: "Firefox on an iPhone",
        header: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) FxiOS/139.0 Mobile/15E148 Safari/605.1.15",
        want: ("iOS", "Firefox", Some(139), Mobile),
    },
    Case {
        name: "Firefox on an iPad",
        header: "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, \
                 like Gecko) FxiOS/139.0 Mobile/15E148 Safari/605.1.15",
        want: ("iPadOS", "Firefox", Some(139), Tablet),
    },
    Case {
        name: "Firefox on KaiOS",
        header: "Mozilla/5.0 (Mobile; Nokia 2780 Flip; rv:84.0) Gecko/84.0 Firefox/84.0 \
                 KAIOS/3.1",
        want: ("KaiOS", "Firefox", Some(84), Mobile),
    },
    Case {
        name: "Firefox on a Linux phone",
        header: "Mozilla/5.0 (Mobile; rv:128.0) Gecko/128.0 Firefox/128.0",
        want: ("", "Firefox", Some(128), Mobile),
    },
    Case {
        name: "SeaMonkey on Linux",
        header: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0 \
                 SeaMonkey/2.53.20",
        want: ("Linux", "SeaMonkey", Some(2), Desktop),
    },
    Case {
        name: "Pale Moon on Windows",
        header: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Goanna/6.8 Firefox/128.0 \
                 PaleMoon/33.6.1",
        want: ("Windows", "Pale Moon", Some(33), Desktop),
    },
    // Edge.
    Case {
        name: "Edge on Windows",
        header: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                 Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0",
        want: ("Windows", "Edge", Some(141), Desktop),
    },
    Case {
        name: "Edge on macOS",
        header: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, \
                 like Gecko) Chrome/137.0.0.0 Safari/537.36 Edg/137.0.0.0",
        want: ("macOS", "Edge", Some(137), Desktop),
    },
    Case {
        name: "Edge on Linux",
        header: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/135.0.0.0 Safari/537.36 Edg/135.0.0.0",
        want: ("Linux", "Edge", Some(135), Desktop),
    },
    Case {
        name: "Edge on an Android phone",
        header: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/136.0.0.0 Mobile Safari/537.36 EdgA/136.0.0.0",
        want: ("Android", "Edge", Some(136), Mobile),
    },
    Case {
        name: "Edge on an iPhone",
        header: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Version/18.0 EdgiOS/136.0.3240.91 Mobile/15E148 \
                 Safari/604.1",
        want: ("iOS", "Edge", Some(136), Mobile),
    },
    Case {
        name: "Edge as it was before Chromium",
        header: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                 Gecko) Chrome/70.0.3538.102 Safari/537.36 Edge/18.19045",
        want: ("Windows", "Edge", Some(18), Desktop),
    },
    // Opera.
    Case {
        name: "Opera on Windows",
        header: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                 Gecko) Chrome/137.0.0.0 Safari/537.36 OPR/121.0.0.0",
        want: ("Windows", "Opera", Some(121), Desktop),
    },
    Case {
        name: "Opera on Windows, with its edition",
        header: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                 Gecko) Chrome/134.0.0.0 Safari/537.36 OPR/119.0.0.0 (Edition std-2)",
        want: ("Windows", "Opera", Some(119), Desktop),
    },
    Case {
        name: "Opera on Android",
        header: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/135.0.0.0 Mobile Safari/537.36 OPR/89.0.0.0",
        want: ("Android", "Opera", Some(89), Mobile),
    },
    Case {
        name: "Opera on an iPhone",
        header: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1 OPT/5.5.1",
        want: ("iOS", "Opera", Some(5), Mobile),
    },
    Case {
        name: "Opera Mini on Android",
        header: "Opera/9.80 (Android; Opera Mini/69.2.2254/191.303; U; en) Presto/2.12.423 \
                 Version/12.16",
        want: ("Android", "Opera Mini", Some(69), Mobile),
    },
    Case {
        name: "Opera as it was before Chromium",
        header: "Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18",
        want: ("Windows", "Opera", Some(12), Desktop),
    },
    // Samsung Internet.
    Case {
        name: "Samsung Internet on a phone",
        header: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                 SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
        want: ("Android", "Samsung Internet", Some(28), Mobile),
    },
    Case {
        name: "Samsung Internet on a tablet",
        header: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                 SamsungBrowser/27.0 Chrome/125.0.0.0 Safari/537.36",
        want: ("Android", "Samsung Internet", Some(27), Tablet),
    },
    Case {
        name: "Samsung Internet, desktop site",
        header: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 SamsungBrowser/28.0 Chrome/130.0.0.0 Safari/537.36",
        want: ("Android", "Samsung Internet", Some(28), Unknown),
    },
    // Other relatives of Chrome and Safari.
    Case {
        name: "Vivaldi on Linux",
        header: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/134.0.0.0 Safari/537.36 Vivaldi/7.3.3635.4",
        want: ("Linux", "Vivaldi", Some(7), Desktop),
    },
    Case {
        name: "DuckDuckGo on Windows",
        header: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                 Gecko) Chrome/135.0.0.0 Safari/537.36 Edg/135.0.0.0 Ddg/135.0.0.0",
        want: ("Windows", "DuckDuckGo", None, Desktop),
    },
    Case {
        name: "DuckDuckGo on macOS",
        header: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, \
                 like Gecko) Version/18.4 Safari/605.1.15 Ddg/18.4",
        want: ("macOS", "DuckDuckGo", None, Desktop),
    },
    Case {
        name: "DuckDuckGo on Android",
        header: "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Version/4.0 Chrome/130.0.6723.106 Mobile DuckDuckGo/5 Safari/537.36",
        want: ("Android", "DuckDuckGo", None, Mobile),
    },
    Case {
        name: "DuckDuckGo on an iPhone",
        header: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Version/18.5 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15",
        want: ("iOS", "DuckDuckGo", None, Mobile),
    },
    Case {
        name: "Yandex Browser on Windows",
        header: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                 Gecko) Chrome/134.0.0.0 YaBrowser/25.4.0.0 Safari/537.36",
        want: ("Windows", "Yandex Browser", Some(25), Desktop),
    },
    Case {
        name: "UC Browser on Android",
        header: "Mozilla/5.0 (Linux; U; Android 13; en-US; RMX3686 Build/TP1A.220905.001) \
                 AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/123.0.6312.80 \
                 UCBrowser/13.7.8.1320 Mobile Safari/537.36",
        want: ("Android", "UC Browser", Some(13), Mobile),
    },
    Case {
        name: "Mi Browser on Android",
        header: "Mozilla/5.0 (Linux; U; Android 14; de-de; 23090RA98G Build/UP1A.231005.007) \
                 AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/112.0.5615.136 \
                 Mobile Safari/537.36 XiaoMi/MiuiBrowser/14.18.0-gn",
        want: ("Android", "Mi Browser", Some(14), Mobile),
    },
    Case {
        name: "Whale on Windows",
        header: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                 Gecko) Chrome/132.0.0.0 Whale/4.31.304.16 Safari/537.36",
        want: ("Windows", "Whale", Some(4), Desktop),
    },
    Case {
        name: "GNOME Web on Linux",
        header: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/16.0 Safari/605.1.15 Epiphany/605.1.15",
        want: ("Linux", "GNOME Web", None, Desktop),
    },
    Case {
        name: "WebKit on Linux, which is no Safari",
        header: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.0 Safari/605.1.15",
        want: ("Linux", "", None, Desktop),
    },
    Case {
        name: "Silk on a Fire tablet",
        header: "Mozilla/5.0 (Linux; Android 11; KFRAPWI) AppleWebKit/537.36 (KHTML, like \
                 Gecko) Silk/130.4.1 like Chrome/130.0.6723.102 Safari/537.36",
        want: ("Android", "Amazon Silk", Some(130), Tablet),
    },
    Case {
        name: "Meta Quest Browser",
        header: "Mozilla/5.0 (X11; Linux x86_64; Quest 3) AppleWebKit/537.36 (KHTML, like \
                 Gecko) OculusBrowser/39.3.0.11.46 Chrome/136.0.7103.177 VR Safari/537.36",
        want: ("Meta Horizon OS", "Meta Quest Browser", Some(39), Unknown),
    },
    Case {
        name: "Huawei Browser on HarmonyOS 4",
        header: "Mozilla/5.0 (Linux; Android 12; HarmonyOS; NOH-AN00; HMSCore 6.14.0.302) \
                 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.5735.196 \
                 HuaweiBrowser/15.0.4.312 Mobile Safari/537.36",
        want: ("HarmonyOS", "Huawei Browser", Some(15), Mobile),
    },
    Case {
        name: "Huawei Browser on HarmonyOS 5",
        header: "Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/114.0.0.0 Safari/537.36 ArkWeb/4.1.6.1 Mobile HuaweiBrowser/5.0.4.300",
        want: ("HarmonyOS", "Huawei Browser", Some(5), Mobile),
    },
    Case {
        name: "ArkWeb on a HarmonyOS tablet",
        header: "Mozilla/5.0 (Tablet; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/114.0.0.0 Safari/537.36 ArkWeb/4.1.6.1",
        want: ("HarmonyOS", "Chrome", Some(114), Tablet),
    },
    Case {
        name: "ArkWeb on a HarmonyOS computer",
        header: "Mozilla/5.0 (PC; OpenHarmony 5.1) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/132.0.0.0 Safari/537.36 ArkWeb/6.0.0.47",
        want: ("HarmonyOS", "Chrome", Some(132), Desktop),
    },
    // Apps with a browser in them.
    Case {
        name: "Android WebView",
        header: "Mozilla/5.0 (Linux; Android 15; Pixel 9 Build/BP1A.250505.005; wv) \
                 AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/137.0.7151.61 \
                 Mobile Safari/537.36",
        want: ("Android", "Android WebView", Some(137), Mobile),
    },
    Case {
        name: "WKWebView on an iPhone",
        header: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Mobile/15E148",
        want: ("iOS", "iOS WebView", None, Mobile),
    },
    Case {
        name: "Facebook on an iPhone",
        header: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Mobile/15E148 \
                 [FBAN/FBIOS;FBAV/515.0.0.38.94;FBBV/730102733;FBDV/iPhone15,3;FBMD/iPhone;\
                 FBSN/iOS;FBSV/18.5;FBSS/3;FBID/phone;FBLC/en_US;FBOP/5]",
        want: ("iOS", "Facebook", Some(515), Mobile),
    },
    Case {
        name: "Facebook on Android",
        header: "Mozilla/5.0 (Linux; Android 14; SM-S918B Build/UP1A.231005.007; wv) \
                 AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/136.0.7103.60 \
                 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/513.0.0.55.107;]",
        want: ("Android", "Facebook", Some(513), Mobile),
    },
    Case {
        name: "Messenger on an iPhone",
        header: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Mobile/15E148 \
                 [FBAN/MessengerForiOS;FBAV/508.0.0.31.104;FBDV/iPhone14,5;FBSN/iOS;FBSV/18.5]",
        want: ("iOS", "Messenger", Some(508), Mobile),
    },
    Case {
        name: "Instagram on an iPhone",
        header: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Mobile/15E148 Instagram 382.0.0.29.75 (iPhone14,5; iOS \
                 18_5; en_US; en; scale=3.00; 1170x2532; 742131415)",
        want: ("iOS", "Instagram", Some(382), Mobile),
    },
    Case {
        name: "TikTok on Android",
        header: "Mozilla/5.0 (Linux; Android 14; SM-A546B Build/UP1A.231005.007; wv) \
                 AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/135.0.7049.111 \
                 Mobile Safari/537.36 trill_390103 BytedanceWebview/d8a21c6",
        want: ("Android", "TikTok", None, Mobile),
    },
    Case {
        name: "Google app on an iPhone",
        header: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) GSA/370.0.762543316 Mobile/15E148 Safari/604.1",
        want: ("iOS", "Google app", Some(370), Mobile),
    },
    Case {
        name: "WeChat on an iPhone",
        header: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.60(0x18003c2f) \
                 NetType/WIFI Language/en",
        want: ("iOS", "WeChat", Some(8), Mobile),
    },
    Case {
        name: "Slack on macOS, an Electron app",
        header: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, \
                 like Gecko) Slack/4.44.60 Chrome/136.0.7103.115 Electron/36.3.1 \
                 Safari/537.36",
        want: ("macOS", "Electron", Some(36), Desktop),
    },
    Case {
        name: "native app on an iPhone",
        header: "Example/4.2.1 (iPhone; iOS 18.5; Scale/3.00)",
        want: ("iOS", "", None, Mobile),
    },
    Case {
        name: "native app on Android",
        header: "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/AP2A.240805.005)",
        want: ("Android", "", None, Unknown),
    },
    // Televisions and consoles.
    Case {
        name: "Samsung television",
        header: "Mozilla/5.0 (SMART-TV; LINUX; Tizen 7.0) AppleWebKit/537.36 (KHTML, like \
                 Gecko) 94.0.4606.31/7.0 TV Safari/537.36",
        want: ("Tizen", "", None, Tv),
    },
    Case {
        name: "Samsung Internet on a television",
        header: "Mozilla/5.0 (SMART-TV; Linux; Tizen 8.0) AppleWebKit/537.36 (KHTML, like \
                 Gecko) SamsungBrowser/7.4 Chrome/108.0.5359.1 TV Safari/537.36",
        want: ("Tizen", "Samsung Internet", Some(7), Tv),
    },
    Case {
        name: "LG television",
        header: "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/108.0.5359.211 Safari/537.36 WebAppManager",
        want: ("webOS", "Chrome", Some(108), Tv),
    },
    Case {
        name: "Fire TV",
        header: "Mozilla/5.0 (Linux; Android 9; AFTMM) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Silk/125.3.1 like Chrome/125.0.6422.113 Safari/537.36",
        want: ("Android", "Amazon Silk", Some(125), Tv),
    },
    Case {
        name: "Sony television",
        header: "Mozilla/5.0 (Linux; Android 10; BRAVIA 4K UR3 Build/QTG3.200305.006) \
                 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.6367.82 Mobile \
                 Safari/537.36",
        want: ("Android", "Chrome", Some(124), Tv),
    },
    Case {
        name: "Chromecast",
        header: "Mozilla/5.0 (X11; Linux armv7l) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/124.0.6367.219 Safari/537.36 CrKey/1.56.500000",
        want: ("Linux", "Chrome", Some(124), Tv),
    },
    Case {
        name: "Apple TV",
        header: "AppleTV11,1/11.1",
        want: ("tvOS", "", None, Tv),
    },
    Case {
        name: "PlayStation 5",
        header: "Mozilla/5.0 (PlayStation; PlayStation 5/8.00) AppleWebKit/605.1.15 (KHTML, \
                 like Gecko) Version/16.0 Safari/605.1.15",
        want: ("PlayStation", "", None, Console),
    },
    Case {
        name: "Xbox",
        header: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox Series X) \
                 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 \
                 Edg/131.0.0.0",
        want: ("Xbox", "Edge", Some(131), Console),
    },
    Case {
        name: "Nintendo Switch",
        header: "Mozilla/5.0 (Nintendo Switch; WifiWebAuthApplet) AppleWebKit/609.4 (KHTML, \
                 like Gecko) NF/6.0.3.22.3 NintendoBrowser/5.1.0.28433",
        want: ("Nintendo Switch", "", None, Console),
    },
    // Old, but still about.
    Case {
        name: "Internet Explorer 11",
        header: "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
        want: ("Windows", "Internet Explorer", Some(11), Desktop),
    },
    Case {
        name: "Internet Explorer 9",
        header: "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0)",
        want: ("Windows", "Internet Explorer", Some(9), Desktop),
    },
    Case {
        name: "Android Browser",
        header: "Mozilla/5.0 (Linux; U; Android 4.4.2; de-de; GT-I9505 Build/KOT49H) \
                 AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30",
        want: ("Android", "Android Browser", Some(4), Mobile),
    },
    Case {
        name: "Windows Phone",
        header: "Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) \
                 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/52.0.2743.116 Mobile \
                 Safari/537.36 Edge/15.15254",
        want: ("Windows Phone", "Edge", Some(15), Mobile),
    },
    Case {
        name: "Firefox Focus on Android",
        header: "Mozilla/5.0 (Linux; Android 9; Pixel 3) AppleWebKit/537.36 (KHTML, like \
                 Gecko) Version/4.0 Focus/8.0.15 Chrome/79.0.3945.136 Mobile Safari/537.36",
        want: ("Android", "Firefox Focus", Some(8), Mobile),
    },
    Case {
        name: "Kindle",
        header: "Mozilla/5.0 (X11; U; Linux armv7l like Android; en-us) AppleWebKit/531.2+ \
                 (KHTML, like Gecko) Version/5.0 Safari/533.2+ Kindle/3.0+",
        want: ("Kindle", "", None, Tablet),
    },
    // Bots.
    Case {
        name: "Googlebot",
        header: "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; \
                 Googlebot/2.1; +http://www.google.com/bot.html) Chrome/137.0.7151.68 \
                 Safari/537.36",
        want: ("", "Googlebot", None, Bot),
    },
    Case {
        name: "Googlebot as a phone",
        header: "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 \
                 (KHTML, like Gecko) Chrome/137.0.7151.68 Mobile Safari/537.36 (compatible; \
                 Googlebot/2.1; +http://www.google.com/bot.html)",
        want: ("Android", "Googlebot", None, Bot),
    },
    Case {
        name: "Bingbot",
        header: "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; \
                 +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
        want: ("", "Bingbot", Some(2), Bot),
    },
    Case {
        name: "GPTBot",
        header: "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; \
                 +https://openai.com/gptbot)",
        want: ("", "GPTBot", Some(1), Bot),
    },
    Case {
        name: "Applebot",
        header: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, \
                 like Gecko) Version/17.4 Safari/605.1.15 (Applebot/0.1; \
                 +http://www.apple.com/go/applebot)",
        want: ("macOS", "Applebot", None, Bot),
    },
    Case {
        name: "Facebook's preview",
        header: "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        want: ("", "facebookexternalhit", Some(1), Bot),
    },
    Case {
        name: "Slack's preview",
        header: "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        want: ("", "Slackbot", None, Bot),
    },
    Case {
        name: "WhatsApp's preview",
        header: "WhatsApp/2.23.20.0",
        want: ("", "WhatsApp", Some(2), Bot),
    },
    Case {
        name: "headless Chrome",
        header: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 HeadlessChrome/136.0.7103.113 Safari/537.36",
        want: ("Linux", "Headless Chrome", Some(136), Bot),
    },
    Case {
        name: "bot without an entry",
        header: "Mozilla/5.0 (compatible; MJ12bot/v1.4.8; http://mj12bot.com/)",
        want: ("", "", None, Bot),
    },
    Case {
        name: "spider without an entry",
        header: "Mozilla/5.0 (compatible; 360Spider; +https://example.com/)",
        want: ("", "", None, Bot),
    },
    Case {
        name: "crawler without an entry",
        header: "ExampleCrawler/1.0 (+https://example.com/)",
        want: ("", "", None, Bot),
    },
    // Tools.
    Case {
        name: "curl",
        header: "curl/8.14.1",
        want: ("", "curl", Some(8), Tool),
    },
    Case {
        name: "Wget",
        header: "Wget/1.25.0",
        want: ("", "Wget", Some(1), Tool),
    },
    Case {
        name: "python-requests",
        header: "python-requests/2.32.3",
        want: ("", "python-requests", Some(2), Tool),
    },
    Case {
        name: "python-httpx",
        header: "python-httpx/0.28.1",
        want: ("", "httpx", Some(0), Tool),
    },
    Case {
        name: "aiohttp",
        header: "Python/3.13 aiohttp/3.12.13",
        want: ("", "aiohttp", Some(3), Tool),
    },
    Case {
        name: "urllib",
        header: "Python-urllib/3.12",
        want: ("", "Python", Some(3), Tool),
    },
    Case {
        name: "Go",
        header: "Go-http-client/2.0",
        want: ("", "Go", None, Tool),
    },
    Case {
        name: "okhttp",
        header: "okhttp/4.12.0",
        want: ("", "okhttp", Some(4), Tool),
    },
    Case {
        name: "Dart",
        header: "Dart/3.8 (dart:io)",
        want: ("", "Dart", Some(3), Tool),
    },
    Case {
        name: "Java",
        header: "Java-http-client/21.0.7",
        want: ("", "Java", Some(21), Tool),
    },
    Case {
        name: "Apache HttpClient",
        header: "Apache-HttpClient/5.4.3 (Java/21.0.7)",
        want: ("", "Apache HttpClient", Some(5), Tool),
    },
    Case {
        name: "axios",
        header: "axios/1.9.0",
        want: ("", "axios", Some(1), Tool),
    },
    Case {
        name: "fetch of Node.js",
        header: "node",
        want: ("", "Node.js", None, Tool),
    },
    Case {
        name: "node-fetch",
        header: "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
        want: ("", "Node.js", None, Tool),
    },
    Case {
        name: "Postman",
        header: "PostmanRuntime/7.44.0",
        want: ("", "Postman", Some(7), Tool),
    },
    Case {
        name: "reqwest",
        header: "reqwest/0.12.20",
        want: ("", "reqwest", Some(0), Tool),
    },
    Case {
        name: "ureq",
        header: "ureq/3.0.12",
        want: ("", "ureq", Some(3), Tool),
    },
    Case {
        name: "PowerShell on Windows",
        header: "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) \
                 WindowsPowerShell/5.1.26100.4202",
        want: ("Windows", "PowerShell", Some(5), Tool),
    },
];
