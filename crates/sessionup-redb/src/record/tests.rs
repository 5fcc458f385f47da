use proptest::prelude::*;
use sessionup_core::client::Client;
use sessionup_core::{Agent, Change};

use super::*;

/// Written by the first version of this library. Later ones must read it.
const GOLDEN: &str = include_str!("../../tests/fixtures/record-v1.hex");

fn golden() -> Vec<u8> {
    from_hex(GOLDEN)
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn id() -> SessionId {
    "019ab3f0-7c00-7000-8000-000000000001".parse().unwrap()
}

fn sample() -> Stored {
    let mut session = Session::new(
        id(),
        UserKey::new("ann@example.org").unwrap(),
        Timestamp::from_millis(1_763_900_000_000),
        Timestamp::from_millis(1_763_986_400_000),
    );
    session.last_seen_at = Timestamp::from_millis(1_763_900_060_000);
    session.idle_timeout = Some(Duration::from_secs(1_800));
    let mut agent = Agent::new("Linux", "Firefox");
    agent.version = Some(140);
    agent.kind = DeviceKind::Desktop;
    session.client = Client::new("2001:db8::1".parse().ok(), agent);
    session.meta.insert("permission", "write").unwrap();
    session.meta.insert("visits", 3).unwrap();
    let record = Record::new(session, SecretHash::from_bytes([0xa5; 32]));
    Stored::new(record, 26_914_978)
}

/// Written by the first version that knew kinds. Later ones must read it.
const GOLDEN_OF_A_KIND: &str = include_str!("../../tests/fixtures/record-v1-kind.hex");

/// Builds a record of any head and tail.
fn bytes_of(head: &[u8], tail: &[u8]) -> Vec<u8> {
    let length = u16::try_from(head.len()).unwrap().to_le_bytes();
    let body = [head, tail].concat();
    let check = check_value(id(), VERSION, length, &body).to_le_bytes();
    [&[VERSION], &length[..], &check, &body].concat()
}

fn head_and_tail(stored: &Stored) -> (Vec<u8>, Vec<u8>) {
    let body = stored.encode().split_off(PREFIX_BYTES);
    let (head, tail) = body.split_at(72);
    (head.to_vec(), tail.to_vec())
}

#[test]
fn golden_record_is_read_and_written_as_ever() {
    assert_eq!(Stored::decode(id(), &golden()).unwrap(), sample());
    assert_eq!(sample().encode(), golden());
}

#[test]
fn encode_of_any_kind_writes_golden_bytes() {
    let mut stored = sample();
    stored.record.session.kind = Kind::LOGIN_ATTEMPT;
    let golden = from_hex(GOLDEN_OF_A_KIND);
    assert_eq!(stored.encode(), golden);
    assert_eq!(Stored::decode(id(), &golden).unwrap(), stored);
}

#[test]
fn altered_byte_is_an_error() {
    let golden = golden();
    for at in 0..golden.len() {
        for flip in 1..=u8::MAX {
            let mut bytes = golden.clone();
            bytes[at] ^= flip;
            let decoded = Stored::decode(id(), &bytes);
            assert!(decoded.is_err(), "byte {at} ^ {flip:#x}: {decoded:?}");
        }
    }
}

#[test]
fn cut_or_lengthened_record_is_an_error() {
    let mut bytes = golden();
    for length in 0..bytes.len() {
        let decoded = Stored::decode(id(), &bytes[..length]);
        assert!(decoded.is_err(), "{length} bytes: {decoded:?}");
    }
    bytes.push(0);
    Stored::decode(id(), &bytes).unwrap_err();
}

#[test]
fn record_under_another_id_is_an_error() {
    let other = SessionId::from_bytes([1; 16]);
    let decoded = Stored::decode(other, &golden());
    assert!(matches!(decoded, Err(RecordError::Check)), "{decoded:?}");
}

#[test]
fn what_is_not_understood_is_kept() {
    let (mut head, mut tail) = head_and_tail(&sample());
    head.extend_from_slice(b"more head");
    tail.extend_from_slice(&[200, 3, 1, 2, 3, 99, 0, 200, 1, 7]);

    let mut stored = Stored::decode(id(), &bytes_of(&head, &tail)).unwrap();
    assert_eq!(stored.record, sample().record);
    let later = Change::touch(Timestamp::from_millis(1_763_900_070_000));
    let changed = later.apply(&stored.record).unwrap().unwrap();
    stored.replace(changed.clone());
    let rewritten = stored.encode();

    let (head, tail) = rewritten[PREFIX_BYTES..].split_at(head.len());
    assert!(head.ends_with(b"more head"));
    assert!(tail.ends_with(&[200, 3, 1, 2, 3, 99, 0, 200, 1, 7]));
    let read = Stored::decode(id(), &rewritten).unwrap();
    assert_eq!(read.record, changed);
}

#[test]
fn renewed_record_goes_there_and_back() {
    let at = Timestamp::from_millis;
    let replaced = Replaced::new(SecretHash::from_bytes([0x5a; 32]), at(-7));
    let cases = [
        None,
        Some(replaced),
        Some(replaced.accepted_until(None)),
        Some(replaced.accepted_until(Some(Timestamp::MAX))),
    ];
    for replaced in cases {
        let mut stored = sample();
        stored.record.replaced = replaced;
        stored.record.session.persistent = replaced.is_some();
        stored.record.session.authenticated_at = at(1_763_900_000_001);
        let read = Stored::decode(id(), &stored.encode()).unwrap();
        assert_eq!(read, stored);
    }
}

#[test]
fn record_of_each_kind_comes_back() {
    for kind in [Kind::USER, Kind::LOGIN_ATTEMPT, Kind::new("a-1").unwrap()] {
        let mut stored = sample();
        stored.record.session.kind = kind.clone();
        let bytes = stored.encode();
        assert_eq!(Stored::decode(id(), &bytes).unwrap(), stored);
        let has_tag = bytes.len() > golden().len();
        assert_eq!(has_tag, kind != Kind::USER, "{kind}");
    }
}

/// A kind that cannot be read must not make a whole login of half a one.
#[test]
fn record_of_invalid_kind_is_an_error() {
    let (head, tail) = head_and_tail(&sample());
    let invalid: [&[u8]; 5] = [b"", b"User", b"a b", &[0xff], &[b'a'; 33]];
    for kind in invalid {
        let mut tail = tail.clone();
        put_field(&mut tail, 11, &[kind]);
        let decoded = Stored::decode(id(), &bytes_of(&head, &tail));
        assert!(
            matches!(decoded, Err(RecordError::Field { tag: 11 })),
            "{kind:?}: {decoded:?}"
        );
    }
    let mut twice = tail;
    put_field(&mut twice, 11, &[b"guest"]);
    put_field(&mut twice, 11, &[b"user"]);
    Stored::decode(id(), &bytes_of(&head, &twice)).unwrap_err();
}

#[test]
fn damaged_fields_of_a_renewal_are_errors() {
    let (head, tail) = head_and_tail(&sample());
    for (tag, length) in [
        (8, 0),
        (8, 7),
        (8, 9),
        (9, 0),
        (9, 32),
        (9, 39),
        (9, 41),
        (9, 49),
        (10, 0),
        (10, 2),
    ] {
        let mut tail = tail.clone();
        put_field(&mut tail, tag, &[&vec![1; length]]);
        let decoded = Stored::decode(id(), &bytes_of(&head, &tail));
        let is_named = matches!(decoded, Err(RecordError::Field { tag: named }) if named == tag);
        assert!(is_named, "{tag} with {length} bytes: {decoded:?}");
    }
    for (tag, length) in [(8, 8), (9, 40), (9, 48), (10, 1)] {
        let mut tail = tail.clone();
        put_field(&mut tail, tag, &[&vec![1; length]]);
        Stored::decode(id(), &bytes_of(&head, &tail)).unwrap();
        put_field(&mut tail, tag, &[&vec![1; length]]);
        Stored::decode(id(), &bytes_of(&head, &tail)).unwrap_err();
    }
}

#[test]
fn device_of_unknown_name_is_kept_until_the_client_changes() {
    let mut session = sample().record.session;
    session.client.agent.kind = DeviceKind::Unknown;
    let known = Stored::new(Record::new(session, SecretHash::from_bytes([0; 32])), 1);
    let (head, mut tail) = head_and_tail(&known);
    put_field(&mut tail, tag::DEVICE, &[b"watch"]);

    let mut stored = Stored::decode(id(), &bytes_of(&head, &tail)).unwrap();
    assert_eq!(stored.record, known.record);
    let again = Stored::decode(id(), &stored.encode()).unwrap();
    assert_eq!(again, stored);

    let mut moved = stored.record.clone();
    moved.session.client.agent.kind = DeviceKind::Tv;
    stored.replace(moved.clone());
    let again = Stored::decode(id(), &stored.encode()).unwrap();
    assert_eq!(again.record, moved);
}

#[test]
fn damaged_fields_are_errors() {
    let (head, _) = head_and_tail(&sample());
    let user: &[u8] = &[1, 3, b'a', b'n', b'n'];
    let cases: [(&str, Vec<u8>, &str); 15] = [
        ("nothing", vec![], "record has no user key"),
        ("empty user key", vec![1, 0], "field with tag 1"),
        (
            "user key is not UTF-8",
            vec![1, 1, 0xff],
            "field with tag 1",
        ),
        ("two user keys", [user, user].concat(), "field with tag 1"),
        (
            "address of 5 bytes",
            vec![2, 5, 1, 2, 3, 4, 5],
            "field with tag 2",
        ),
        (
            "version of 3 bytes",
            vec![5, 3, 1, 2, 3],
            "field with tag 5",
        ),
        ("meta without length", vec![7, 0], "field with tag 7"),
        (
            "meta without name",
            [user, &[7, 2, 0, b'1']].concat(),
            "meta of the record",
        ),
        ("meta name is cut", vec![7, 2, 9, b'1'], "field with tag 7"),
        (
            "meta is not JSON",
            vec![7, 3, 1, b'a', b'{'],
            "field with tag 7",
        ),
        ("no length", vec![1], "record is shorter"),
        ("content is cut", vec![1, 5, b'a'], "record is shorter"),
        ("length is cut", vec![1, 0x80], "record is shorter"),
        (
            "length without end",
            vec![1, 0x80, 0x80, 0x80, 0x80, 0x80, 0],
            "record is shorter",
        ),
        (
            "length of 32 GiB",
            vec![1, 0xff, 0xff, 0xff, 0xff, 0x7f],
            "record is shorter",
        ),
    ];
    for (name, tail, expected) in cases {
        let error = Stored::decode(id(), &bytes_of(&head, &tail)).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{name}: {error}");
    }
}

#[test]
fn short_head_and_unknown_version_are_errors() {
    let (head, tail) = head_and_tail(&sample());
    let short = Stored::decode(id(), &bytes_of(&head[..71], &tail));
    assert!(short.is_err(), "{short:?}");

    let mut bytes = golden();
    bytes[0] = 2;
    let newer = Stored::decode(id(), &bytes);
    assert!(matches!(newer, Err(RecordError::Version(2))), "{newer:?}");
}

#[test]
fn idle_timeouts_there_and_back() {
    let millis = Duration::from_millis;
    let cases = [
        (None, None),
        (Some(Duration::ZERO), Some(Duration::ZERO)),
        (Some(millis(1_800_000)), Some(millis(1_800_000))),
        (Some(Duration::from_micros(1_999)), Some(millis(1))),
        (Some(Duration::MAX), Some(millis(u64::MAX - 1))),
    ];
    for (idle, expected) in cases {
        let mut stored = sample();
        stored.record.session.idle_timeout = idle;
        let read = Stored::decode(id(), &stored.encode()).unwrap();
        assert_eq!(read.record.session.idle_timeout, expected, "{idle:?}");
    }
}

fn any_client() -> impl Strategy<Value = Client> {
    let ip = any::<Option<IpAddr>>();
    let kind =
        proptest::sample::select(&[DeviceKind::Unknown, DeviceKind::Bot, DeviceKind::Tv][..]);
    (ip, "\\PC{0,200}", ".{0,20}", any::<Option<u32>>(), kind).prop_map(
        |(ip, os, browser, version, kind)| {
            let mut agent = Agent::new(os, browser);
            agent.version = version;
            agent.kind = kind;
            let mut client = Client::new(None, agent);
            client.ip = ip;
            client
        },
    )
}

prop_compose! {
    fn any_stored()(
        key in "[^\\x00]{1,60}",
        times in any::<[i64; 3]>(),
        idle in proptest::option::of(0..u64::MAX),
        client in any_client(),
        meta in proptest::collection::btree_map(".{1,30}", any::<(i64, String)>(), 0..5),
        hash in any::<[u8; 32]>(),
        filed in any::<i64>(),
        kind in "user|guest|[a-z0-9-]{1,32}",
    ) -> Stored {
        let [created, expires, seen] = times.map(Timestamp::from_millis);
        let mut session = Session::new(id(), UserKey::new(key).unwrap(), created, expires);
        session.last_seen_at = seen;
        session.idle_timeout = idle.map(Duration::from_millis);
        session.client = client;
        session.kind = Kind::new(kind).unwrap();
        for (name, value) in meta {
            session.meta.insert(name, value).unwrap();
        }
        Stored::new(Record::new(session, SecretHash::from_bytes(hash)), filed)
    }
}

proptest! {
    #[test]
    fn every_record_comes_back(stored in any_stored()) {
        prop_assert_eq!(
            user_key(id(), &stored.encode()).unwrap(),
            stored.record.session.user_key.clone()
        );
        prop_assert_eq!(Stored::decode(id(), &stored.encode()).unwrap(), stored);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Stored::decode(id(), &bytes).is_err());
    }

    /// The check value is right, so that what lies behind it is reached.
    #[test]
    fn any_head_and_tail_are_read_without_panic(
        head in proptest::collection::vec(any::<u8>(), 0..100),
        tail in proptest::collection::vec(0_u8..13, 0..100),
    ) {
        let user_key = user_key(id(), &bytes_of(&head, &tail));
        if let Ok(stored) = Stored::decode(id(), &bytes_of(&head, &tail)) {
            prop_assert_eq!(user_key.unwrap(), stored.record.session.user_key.clone());
            let again = Stored::decode(id(), &stored.encode());
            prop_assert_eq!(again.unwrap(), stored);
        }
    }

    #[test]
    fn swapped_pieces_of_two_records_are_an_error(
        one in any_stored(),
        other in any_stored(),
        at in any::<proptest::sample::Index>(),
    ) {
        let (one, other) = (one.encode(), other.encode());
        prop_assume!(one != other);
        let at = at.index(one.len().min(other.len()));
        let mixed = [&one[..at], &other[at..]].concat();
        prop_assert!(mixed == one || mixed == other || Stored::decode(id(), &mixed).is_err());
    }
}
