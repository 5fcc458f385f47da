//! Memory stays within what is promised, whatever a file says. Each file is read by a process of its
//! own, and the system asked how much that took at most.

#![cfg(target_os = "linux")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used
)]

#[path = "support/forge.rs"]
mod forge;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use forge::{Forge, bucket, header};
use sessionup_bolt::BoltFile;

const MIB: u64 = 1 << 20;
/// 64 MiB and the largest value, beside what a process takes that reads nothing.
const PROMISED: u64 = 64 * MIB + BoltFile::MAX_VALUE_BYTES as u64;

/// Not a test but the process that reads: the parent sets the variable.
#[test]
fn read_one_file() {
    let Some(path) = std::env::var_os("SESSIONUP_MEMORY_OF").map(PathBuf::from) else {
        return;
    };
    if !path.as_os_str().is_empty() {
        let file = BoltFile::open(&path).unwrap();
        let checked = file.check().map_err(|error| error.to_string());
        let mut rows = (0_u64, 0_u64);
        for row in file.sessions("b").into_iter().flatten().flatten() {
            match row.session {
                Ok(_) => rows.0 += 1,
                Err(_) => rows.1 += 1,
            }
        }
        println!("{checked:?}, rows read and not read: {rows:?}");
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kib: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    println!("peak {}", kib * 1_024);
}

/// Returns what the process said, and how many bytes it took at most.
fn read(path: &Path) -> (String, u64) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "read_one_file",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("SESSIONUP_MEMORY_OF", path)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let peak = said
        .lines()
        .find_map(|line| line.split_once("peak "))
        .expect("a peak")
        .1;
    (said.clone(), peak.parse().unwrap())
}

/// A file with a hole behind its first pages.
fn sparse(path: &Path, mut forge: Forge, pages: u64, later: &[(u64, Vec<u8>)]) {
    let page_size = forge.page_size as u64;
    forge.pages = pages;
    std::fs::write(path, forge.finish()).unwrap();
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(pages * page_size).unwrap();
    for (page, bytes) in later {
        write_at(&file, page * page_size, bytes);
    }
}

fn write_at(file: &File, at: u64, bytes: &[u8]) {
    file.write_all_at(bytes, at).unwrap();
}

#[test]
fn memory_stays_within_what_is_promised() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let most_pages = 1 << 27;

    // 64 GiB of nothing, all of it one page.
    let mut forge = Forge::new(512, 6);
    forge.freelist = u64::MAX;
    forge.leaf(3, &[(1, b"b", bucket(4))]);
    forge.leaf(4, &[(1, b"record", bucket(5))]);
    forge.leaf(5, &[]);
    forge.u32(5, 12, most_pages as u32 - 6);
    sparse(&path("one page"), forge.clone(), most_pages, &[]);

    // The same, with as many elements as there can be.
    forge.u16(5, 10, u16::MAX);
    sparse(&path("65,535 elements"), forge.clone(), most_pages, &[]);

    // Half a billion bytes of free pages.
    let mut free = Forge::new(512, 5);
    free.leaf(3, &[]);
    free.freelist = 4;
    let mut list = header(4, 0x10, 0xFFFF);
    list.extend((64 * MIB).to_le_bytes());
    free.at(4, 0, &list);
    free.u32(4, 12, most_pages as u32 - 6);
    sparse(&path("free pages"), free, most_pages, &[]);

    // As deep as it may be, with the longest keys, and all the pages there may be.
    let mut forge = Forge::new(512, 6);
    forge.freelist = u64::MAX;
    forge.leaf(3, &[(1, b"b", bucket(4))]);
    forge.leaf(4, &[(1, b"record", bucket(10_000))]);
    let levels: Vec<_> = (0..40_u64)
        .map(|level| {
            let page = 10_000 + level * 1_000;
            let mut one = Forge::new(512, 400);
            // The second key is below that of the page above.
            let mut second = vec![b'k'; 32_768];
            second[32_767] = 250 - level as u8;
            one.branch(0, &[(&[b'k'; 32_768], page + 1_000), (&second, 7)]);
            one.u64(0, 0, page);
            (page, one.bytes)
        })
        .collect();
    sparse(&path("deep"), forge, most_pages, &levels);

    // The largest values, of bytes that take more room when they are read.
    let largest = BoltFile::MAX_VALUE_BYTES;
    let mut text = b"{\"id\":\"k\",\"user_key\":\"".to_vec();
    text.resize(largest - 2, 0xff);
    text.extend(b"\"}");
    let mut entries = b"{\"id\":\"k\",\"meta\":{\"\":\"\"".to_vec();
    let mut entry = 0_u32;
    while entries.len() < largest - 140 {
        entries.extend(format!(",\"{entry:x}\":\"").into_bytes());
        entries.extend([0xff; 110]);
        entries.push(b'"');
        entry += 1;
    }
    entries.extend(b"}}");
    let mut nested = b"{\"id\":\"k\",\"x\":".to_vec();
    nested.resize(largest, b'[');
    let record = |value: Vec<u8>| forge::of_records(&[(b"k".to_vec(), value)]);
    std::fs::write(path("text"), record(text)).unwrap();
    std::fs::write(path("entries"), record(entries)).unwrap();
    std::fs::write(path("nested"), record(nested)).unwrap();
    std::fs::write(path("beyond the largest"), record(vec![b' '; 40 << 20])).unwrap();

    let (_, nothing) = read(Path::new(""));
    for name in [
        "one page",
        "65,535 elements",
        "free pages",
        "deep",
        "text",
        "entries",
        "nested",
        "beyond the largest",
    ] {
        let (said, peak) = read(&path(name));
        let taken = peak.saturating_sub(nothing);
        println!(
            "{name}: {} MiB. {}",
            taken / MIB,
            said.lines().find(|line| line.contains("rows")).unwrap()
        );
        assert!(taken <= PROMISED, "{name}: {taken} bytes");
    }
}
