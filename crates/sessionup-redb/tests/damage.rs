//! Files that are damaged: an opening that fails changes nothing of them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::path::Path;

use sessionup_core::Store;
use sessionup_redb::{OpenError, verify_file};
use support::{at, builder, create_many, id, user};

const PAGE: usize = 4_096;
const SESSIONS: u64 = 200;
/// In each record.
const HASH: [u8; 32] = [7; 32];

/// A file that was closed, and one as a crash leaves it.
async fn files(directory: &Path) -> [(&'static str, Vec<u8>); 2] {
    let path = directory.join("whole.redb");
    let store = builder().open(&path).unwrap();
    create_many(&store, 0..SESSIONS, "ann").await;
    let crashed = fs::read(&path).unwrap();
    store.close().await;
    [("closed", fs::read(&path).unwrap()), ("crashed", crashed)]
}

/// Damages of a file, by name.
fn damages(whole: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut damages = Vec::new();
    for length in [
        1,
        9,
        64,
        320,
        PAGE - 1,
        PAGE,
        whole.len() / 2,
        whole.len() - 1,
    ] {
        damages.push((format!("cut at {length}"), whole[..length].to_vec()));
    }
    for (from, to) in [(9, 64), (64, 192), (192, 320), (9, 320), (320, PAGE)] {
        let mut damaged = whole.to_vec();
        damaged[from..to].fill(0);
        damages.push((format!("zeros from {from} to {to}"), damaged));
    }
    for byte in (9..320).step_by(29) {
        let mut damaged = whole.to_vec();
        damaged[byte] ^= 1 << (byte % 8);
        damages.push((format!("bit of byte {byte}"), damaged));
    }
    // Which pages are in use is the database's choice. A bit of each record is in some that are.
    let mut damaged = whole.to_vec();
    for at in 0..whole.len() - HASH.len() {
        if whole[at..].starts_with(&HASH) {
            damaged[at] ^= 1;
        }
    }
    damages.push(("bit of each record".to_owned(), damaged));
    for page in 1..whole.len() / PAGE {
        if page % 13 != 0 {
            continue;
        }
        let mut damaged = whole.to_vec();
        let damage = &mut damaged[page * PAGE..(page + 1) * PAGE];
        match page % 3 {
            0 => damage.fill(0),
            1 => damage.fill(0xff),
            _ => damage[17] ^= 0x20,
        }
        damages.push((format!("page {page}"), damaged));
    }
    damages
}

#[tokio::test]
async fn damaged_file_opens_and_tells_or_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sessions.redb");
    let reserve = directory.path().join("sessions.redb.reserve");
    let (mut refused, mut told, mut harmless) = (0, 0, 0);
    for (kind, whole) in files(directory.path()).await {
        for (name, damaged) in damages(&whole) {
            let _ = fs::remove_file(&reserve);
            fs::write(&path, &damaged).unwrap();
            let verified = verify_file(&path, "sessions", None);
            assert!(fs::read(&path).unwrap() == damaged, "{kind}, {name}");

            match builder().open(&path) {
                Err(error) => {
                    assert!(
                        matches!(
                            error,
                            OpenError::Damaged { .. }
                                | OpenError::NotADatabase { .. }
                                | OpenError::OldFormat { .. }
                                | OpenError::ForeignTable { .. }
                        ),
                        "{kind}, {name}: {error:?}"
                    );
                    let after = fs::read(&path).unwrap();
                    assert!(after == damaged, "{kind}, {name}: the file was changed");
                    assert!(!reserve.exists(), "{kind}, {name}");
                    refused += 1;
                }
                Ok(store) => {
                    let is_whole = verified
                        .is_ok_and(|report| report.is_clean() && report.sessions == SESSIONS);
                    if is_whole {
                        let listed = store.list(&user("ann"), at(0)).await.unwrap();
                        assert_eq!(listed.len() as u64, SESSIONS, "{kind}, {name}");
                        assert!(store.delete(id(1), None).await.unwrap(), "{kind}, {name}");
                        harmless += 1;
                    } else {
                        told += 1;
                    }
                    store.close().await;
                }
            }
        }
    }
    assert!(refused > 20, "{refused} refused");
    assert!(told > 0, "{told} told");
    assert!(harmless > 5, "{harmless} harmless");
}
