use std::cell::Cell;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn proxies_that_cannot_be_meant_are_refused() {
    let none: [&str; 0] = [];
    let networks = |network: &str| TrustedProxies::networks(["127.0.0.1", network]).unwrap_err();
    let no_network = |network: &str| TrustedProxiesError::NoNetwork {
        network: network.into(),
    };
    let everybody = |network: &str| TrustedProxiesError::Everybody {
        network: network.into(),
    };
    let host_bits = |given: &str, host: &str, network: &str| TrustedProxiesError::HostBits {
        given: given.into(),
        host: host.into(),
        network: network.into(),
    };
    let cases = [
        (
            TrustedProxies::networks(none).unwrap_err(),
            TrustedProxiesError::NoNetworks,
        ),
        (
            TrustedProxies::hops(0).unwrap_err(),
            TrustedProxiesError::NoHops,
        ),
        (
            TrustedProxies::hops(65).unwrap_err(),
            TrustedProxiesError::TooManyHops { hops: 65 },
        ),
        (networks(""), no_network("")),
        (networks("proxy.internal"), no_network("proxy.internal")),
        (networks("10.0.0.0/33"), no_network("10.0.0.0/33")),
        (networks("10.0.0.0/-1"), no_network("10.0.0.0/-1")),
        (networks("10.0.0.0/"), no_network("10.0.0.0/")),
        (networks("10.0.0.0/8 "), no_network("10.0.0.0/8 ")),
        (networks("10.0.0/8"), no_network("10.0.0/8")),
        (networks("fd00::/129"), no_network("fd00::/129")),
        (networks("fe80::1%eth0"), no_network("fe80::1%eth0")),
        (networks("0.0.0.0/0"), everybody("0.0.0.0/0")),
        (networks("::/0"), everybody("::/0")),
        (
            networks("::ffff:0.0.0.0/96"),
            everybody("::ffff:0.0.0.0/96"),
        ),
        (
            networks("10.0.0.1/8"),
            host_bits("10.0.0.1/8", "10.0.0.1", "10.0.0.0/8"),
        ),
        (
            networks("fd00::1/8"),
            host_bits("fd00::1/8", "fd00::1", "fd00::/8"),
        ),
    ];
    for (error, expected) in cases {
        assert_eq!(error, expected);
    }
}

#[test]
fn refusals_say_what_to_write() {
    let text = |network: &str| TrustedProxies::networks([network]).unwrap_err().to_string();
    assert_eq!(
        text("10.0.0.1/8"),
        "10.0.0.1/8 has bits beyond its prefix: \
         write 10.0.0.0/8 for the network, 10.0.0.1 for the host"
    );
    assert_eq!(
        text("nginx"),
        r#""nginx" is no network: write one such as 10.0.0.0/8 or fd00::/8, or an address"#
    );
    let error = TrustedProxies::hops(1000).unwrap_err();
    assert_eq!(
        error.to_string(),
        "1000 hops are more than the 64 that are looked at"
    );
}

#[test]
fn networks_hold_the_addresses_that_they_say() {
    let cases = [
        ("127.0.0.1", "127.0.0.1", true),
        ("127.0.0.1", "127.0.0.2", false),
        ("::1", "::1", true),
        ("10.0.0.0/8", "10.255.255.255", true),
        ("10.0.0.0/8", "11.0.0.0", false),
        ("10.0.0.0/8", "::ffff:10.0.0.1", true),
        ("::ffff:10.0.0.0/104", "10.0.0.1", true),
        ("::ffff:10.0.0.0/104", "11.0.0.1", false),
        ("::ffff:127.0.0.1", "127.0.0.1", true),
        ("::ffff:127.0.0.1/128", "127.0.0.1", true),
        ("fd00::/8", "fdff::1", true),
        ("fd00::/8", "fe00::1", false),
    ];
    let line: &[u8] = b"192.0.2.1";
    for (network, peer, is_trusted) in cases {
        let proxies = TrustedProxies::networks([network]).unwrap();
        let client = proxies.client_ip(Some(ip(peer)), [line]);
        let expected = if is_trusted { "192.0.2.1" } else { peer };
        assert_eq!(client, Some(ip(expected)), "{network} {peer}");
    }
}

#[test]
fn no_more_is_looked_at_than_the_bounds_say() {
    let proxies = TrustedProxies::networks(["10.0.0.0/8"]).unwrap();
    let lines_read = |line: &[u8]| {
        let read = Cell::new(0_usize);
        let lines = (0..10_000).map(|_| {
            read.set(read.get() + 1);
            line
        });
        assert_eq!(proxies.client_ip(Some(ip("10.0.0.1")), lines), None);
        read.get()
    };
    // That there is more is seen by beginning with it.
    assert_eq!(lines_read(b"10.0.0.1"), TrustedProxies::MAX_ENTRIES + 1);
    let long = [b"10.0.0.1".as_slice(), &[b' '; 1000]].concat();
    let whole_lines = TrustedProxies::MAX_BYTES / (long.len() + 1);
    assert_eq!(lines_read(&long), whole_lines + 1);
}

#[test]
fn single_of_what_is_no_single_header_is_refused() {
    let no_name = |name: &str| TrustedProxiesError::NoHeaderName { name: name.into() };
    let list = |name: &str| TrustedProxiesError::ListHeader { name: name.into() };
    let long = "x".repeat(65);
    let cases = [
        ("", no_name("")),
        ("X-Real-IP:", no_name("X-Real-IP:")),
        ("X-Real-IP ", no_name("X-Real-IP ")),
        ("X-Real\r\nIP", no_name("X-Real\r\nIP")),
        ("X-R\u{e9}al-IP", no_name("X-R\u{e9}al-IP")),
        (&long, no_name(&long[..64])),
        ("X-Forwarded-For", list("x-forwarded-for")),
        ("FORWARDED", list("forwarded")),
    ];
    for (name, expected) in cases {
        assert_eq!(ForwardingHeader::single(name), Err(expected), "{name:?}");
    }
    let header = ForwardingHeader::single("CF-Connecting-IP").unwrap();
    assert_eq!(header.name(), "cf-connecting-ip");
    let text = ForwardingHeader::single("Forwarded")
        .unwrap_err()
        .to_string();
    assert_eq!(
        text,
        "forwarded holds a list of addresses: choose its own variant of ForwardingHeader"
    );
}

#[test]
fn single_header_with_many_lines_reads_two() {
    let header = ForwardingHeader::single("X-Real-IP").unwrap();
    let proxies = TrustedProxies::hops(1).unwrap().header(header);
    let read = Cell::new(0_usize);
    let lines = (0..10_000).map(|_| {
        read.set(read.get() + 1);
        b"192.0.2.1".as_slice()
    });
    assert_eq!(proxies.client_ip(None, lines), None);
    assert_eq!(read.get(), 2);
}

/// One hop as proxies write it, in a form that the header allows.
fn written(address: IpAddr, form: usize, header: &ForwardingHeader) -> String {
    let node = match (address, form % 4) {
        (IpAddr::V4(v4), 0) => v4.to_string(),
        (IpAddr::V4(v4), 1) => format!("{v4}:443"),
        (IpAddr::V4(v4), _) => format!("[{}]:80", v4.to_ipv6_mapped()),
        (IpAddr::V6(v6), 0) => format!("[{v6}]"),
        (IpAddr::V6(v6), 1) => format!("[{v6}]:65535"),
        (IpAddr::V6(v6), _) => v6.to_string(),
    };
    match (header, form % 3) {
        (ForwardingHeader::Single(_) | ForwardingHeader::XForwardedFor, _) => node,
        (ForwardingHeader::Forwarded, 0) => format!("for=\"{node}\""),
        (ForwardingHeader::Forwarded, 1) => {
            format!("by=_edge;For=\"{node}\";host=\"a, \\\"b\\\\\";proto=https")
        }
        (ForwardingHeader::Forwarded, _) => {
            let escaped: String = node.chars().flat_map(|c| ['\\', c]).collect();
            format!("proto=http;for=\"{escaped}\"")
        }
    }
}

fn real_ip() -> ForwardingHeader {
    ForwardingHeader::single("X-Real-IP").unwrap()
}

/// The headers that are lists.
fn headers() -> impl Strategy<Value = ForwardingHeader> {
    select(vec![
        ForwardingHeader::XForwardedFor,
        ForwardingHeader::Forwarded,
    ])
}

/// What a client may put into the header before the proxies do.
fn forged() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&[u8]> = vec![
        b",",
        b";",
        b"=",
        b"\"",
        b"\\",
        b"for=",
        b"10.0.0.1",
        b"[::1]",
        b"\xff",
        b" ",
        b"_x",
    ];
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(select(pieces), 0..20).prop_map(|pieces| pieces.concat()),
    ]
}

proptest! {
    #[test]
    fn nothing_that_a_client_sends_changes_its_address(
        header in headers(),
        client in any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
        client_v6 in any::<u128>().prop_map(|bits| IpAddr::V6(bits.into())),
        is_v6 in any::<bool>(),
        proxies in prop::collection::vec((any::<[u8; 3]>(), any::<usize>(), any::<bool>()), 0..5),
        form in any::<usize>(),
        forged in forged(),
        joins in any::<bool>(),
    ) {
        let client = if is_v6 { client_v6 } else { client }.to_canonical();
        let network = IpNet::new(ip("10.0.0.0"), 8).unwrap();
        prop_assume!(!network.contains(&client));

        // The first proxy appends to the client's line or adds one; so do the others.
        let mut lines = vec![forged];
        let client_entry = written(client, form, &header);
        let hops = proxies.len() + 1;
        let proxies = proxies.into_iter().map(|([a, b, c], form, joins)| {
            (written(IpAddr::from([10, a, b, c]), form, &header), joins)
        });
        for (entry, joins) in std::iter::once((client_entry, joins)).chain(proxies) {
            let last = lines.last_mut().unwrap();
            if joins && !last.is_empty() {
                last.extend_from_slice(b", ");
                last.extend_from_slice(entry.as_bytes());
            } else {
                lines.push(entry.into_bytes());
            }
        }
        let lines = || lines.iter().map(Vec::as_slice);
        let peer = Some(ip("10.0.0.1"));

        let by_network = TrustedProxies::networks(["10.0.0.0/8"]).unwrap().header(header.clone());
        prop_assert_eq!(by_network.client_ip(peer, lines()), Some(client));
        let by_number = TrustedProxies::hops(hops).unwrap().header(header);
        prop_assert_eq!(by_number.client_ip(peer, lines()), Some(client));
        let stranger = Some(ip("192.0.2.9"));
        prop_assert_eq!(by_network.client_ip(stranger, lines()), stranger);
    }

    /// A proxy that adds a line of its own instead of putting it in place shows by that, and what is
    /// in the header of a stranger is not read.
    #[test]
    fn single_header_from_client_is_never_believed(
        forged in prop::collection::vec(forged(), 1..4),
    ) {
        let proxies = TrustedProxies::networks(["10.0.0.0/8"]).unwrap().header(real_ip());
        let lines = || forged.iter().map(Vec::as_slice);
        let appended = lines().chain([b"192.0.2.1".as_slice()]).collect::<Vec<_>>();
        prop_assert_eq!(proxies.client_ip(Some(ip("10.0.0.1")), appended), None);
        let stranger = Some(ip("192.0.2.9"));
        prop_assert_eq!(proxies.client_ip(stranger, lines()), stranger);
        prop_assert_eq!(proxies.client_ip(None, lines()), None);
    }

    #[test]
    fn any_bytes_have_an_answer(
        header in prop_oneof![headers(), Just(real_ip())],
        lines in prop::collection::vec(forged(), 0..6),
        hops in 1_usize..=64,
    ) {
        let lines = || lines.iter().map(Vec::as_slice);
        let peer = Some(ip("10.0.0.1"));
        for proxies in [
            TrustedProxies::networks(["10.0.0.0/8"]).unwrap(),
            TrustedProxies::hops(hops).unwrap(),
        ] {
            let client = proxies.header(header.clone()).client_ip(peer, lines());
            prop_assert_eq!(client, client.map(|ip| ip.to_canonical()));
        }
    }
}
