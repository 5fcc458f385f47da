//! What must come of any bytes in the place of a Bolt file. Used by a test here and by a fuzz target.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    dead_code,
    unreachable_pub
)]

use sessionup_bolt::{BoltError, BoltFile, GoSession, GoToken, WriteError, Writer};

use crate::forge;

/// What the first byte of an input says of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A file as it is.
    AsIs,
    /// A file whose meta pages are given check values that fit.
    Signed,
    /// A file whose pages are given their own numbers too.
    Numbered,
    /// The value of a record in a file that is sound.
    Record,
}

impl Mode {
    pub const ALL: [Self; 4] = [Self::AsIs, Self::Signed, Self::Numbered, Self::Record];
}

/// Holds bytes to what must come of them.
pub fn hold(input: &[u8]) {
    let Some((mode, rest)) = input.split_first() else {
        return;
    };
    let mut bytes = rest.to_vec();
    match Mode::ALL[usize::from(*mode) % Mode::ALL.len()] {
        Mode::AsIs => {}
        Mode::Signed => sign(&mut bytes),
        Mode::Numbered => number(&mut bytes),
        Mode::Record => bytes = forge::of_records(&[(b"k".to_vec(), bytes)]),
    }
    file(bytes);
}

fn file(bytes: Vec<u8>) {
    let length = bytes.len() as u64;
    let Ok(file) = BoltFile::from_bytes(bytes) else {
        return;
    };
    let checked = file.check();
    if let Ok(checked) = checked {
        assert!(checked.pages * file.page_size() <= length);
        // A pair takes 17 bytes at least, a bucket 33.
        assert!(checked.pairs * 17 + checked.buckets * 33 <= length);
    }
    let buckets = file.session_buckets();
    assert!(
        checked.is_err() || buckets.is_ok(),
        "sound, and then not: {buckets:?}"
    );
    for bucket in buckets.unwrap_or_default() {
        let all = sessions(&file, &bucket, length);
        assert!(
            checked.is_err() || all.is_ok(),
            "sound, and then not: {all:?}"
        );
        if let Ok(sessions) = all {
            written_again(sessions);
        }
    }
}

/// Goes through a bucket to its end.
fn sessions(file: &BoltFile, bucket: &str, length: u64) -> Result<Vec<GoSession>, BoltError> {
    let mut rows = file.sessions(bucket)?;
    let mut sessions = Vec::new();
    let mut number = 0;
    let end = loop {
        match rows.next() {
            Some(Ok(row)) => {
                number += 1;
                assert_eq!(row.number, number);
                assert!(number * 17 <= length, "more rows than bytes");
                sessions.extend(row.session.ok());
            }
            Some(Err(error)) => break Err(error),
            None => break Ok(()),
        }
    };
    assert!(rows.next().is_none(), "something behind the end");
    end.map(|()| sessions)
}

/// What was read is written, and read again as it was.
fn written_again(mut sessions: Vec<GoSession>) {
    let mut writer = Writer::new("again").unwrap();
    sessions.retain(|session| match writer.add(session) {
        Ok(()) => true,
        Err(WriteError::Token) => false,
        Err(error) => panic!("{error}"),
    });
    let file = BoltFile::from_bytes(writer.to_bytes().unwrap()).unwrap();
    file.check().unwrap();
    if sessions.is_empty() {
        return;
    }
    for session in &mut sessions {
        // The last hours that a time is written with; Go's own are later by a day and a bit.
        let last = sessionup_core::Timestamp::from_millis(253_402_207_200_000);
        let first = sessionup_core::Timestamp::from_millis(-62_167_219_200_000);
        session.created_at = session.created_at.clamp(first, last);
        session.expires_at = session.expires_at.clamp(first, last);
        session.ip = session.ip.map(|ip| ip.to_canonical());
    }
    let again: Vec<_> = file
        .sessions("again")
        .unwrap()
        .map(|row| row.unwrap().session.unwrap())
        .collect();
    assert!(again == sessions, "written {sessions:?}, read {again:?}");
}

/// The page size that the first meta page names, if it is one.
fn page_size(bytes: &[u8]) -> Option<usize> {
    let size = u32::from_le_bytes(*bytes.get(24..)?.first_chunk()?) as usize;
    size.is_power_of_two()
        .then_some(size)
        .filter(|size| *size >= 512)
}

fn sign(bytes: &mut [u8]) {
    if let Some(size) = page_size(bytes) {
        forge::sign(bytes, size);
    }
}

fn number(bytes: &mut [u8]) {
    if let Some(size) = page_size(bytes) {
        for (number, page) in bytes.chunks_exact_mut(size).enumerate() {
            page[..8].copy_from_slice(&(number as u64).to_le_bytes());
        }
    }
    sign(bytes);
}

/// Inputs to begin with: a mode and a small file, or a record.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut files = vec![forge::Forge::sound().finish()];
    for count in [0, 1, 3, 60] {
        let mut writer = Writer::new("sessions").unwrap();
        for number in 0..count {
            let token = format!("{number:040}").into_bytes();
            let mut session = GoSession::new(GoToken::new(token));
            session.user_key = "ann@example.org".into();
            session.ip = "2001:db8::1".parse().ok();
            session.os = "Linux".into();
            session.meta.insert("permission".into(), "write".into());
            if number == 2 {
                session.meta.insert("large".into(), "x".repeat(5_000));
            }
            writer.add(&session).unwrap();
        }
        files.push(writer.to_bytes().unwrap());
    }
    let records: [&[u8]; 3] = [
        br#"{"id":"k","created_at":"2026-11-22T18:29:05.981908563Z","expires_at":"2026-11-23T01:09:32+02:00","user_key":"mary","ip":"162.248.74.40","agent":{"os":"Android","browser":"Edge"},"meta":{"device":"acme"}}"#,
        br#"{"ID":"k","user_key":"\ud83c\udf6a\ud83c<","x":[1,-2.5e3,{"a":[]},true,null]}"#,
        b"{\"id\":\"k\",\"user_key\":\"bad\xff\xfe\",\"meta\":null,\"ip\":\"\"}",
    ];
    let file = |mode: u8| move |file: &Vec<u8>| [&[mode], file.as_slice()].concat();
    let mut seeds: Vec<Vec<u8>> = files.iter().map(file(1)).collect();
    seeds.extend(files.iter().map(file(2)));
    seeds.extend(records.map(|record| [&[3], record].concat()));
    seeds
}
