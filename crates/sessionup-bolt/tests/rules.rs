//! Each rule of the format: a file that breaks it alone, and the error that names page and rule.

#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used
)]

#[path = "support/forge.rs"]
mod forge;

use std::collections::HashSet;

use forge::{Forge, bucket, leaf_bytes};
use sessionup_bolt::{BoltError, BoltFile, Rule};

type Spoil = fn(&mut Forge);

/// Rule, page that breaks it, and how a sound file is spoiled.
const CASES: &[(&str, Rule, u64, Spoil)] = &[
    ("branch of nothing", Rule::BranchEmpty, 5, |f| {
        f.branch(5, &[])
    }),
    ("bucket of 8 bytes", Rule::BucketHeader, 4, |f| {
        f.leaf(4, &[(1, b"record", vec![0; 8])]);
    }),
    (
        "inline bucket without its page",
        Rule::BucketHeader,
        3,
        |f| {
            f.leaf(
                3,
                &[
                    (1, b"b", bucket(4)),
                    (1, b"c", [bucket(0), vec![0; 15]].concat()),
                ],
            );
        },
    ),
    ("free page below the first", Rule::FreelistEntry, 2, |f| {
        f.freelist_page(2, &[1])
    }),
    ("free page behind the last", Rule::FreelistEntry, 2, |f| {
        f.freelist_page(2, &[10])
    }),
    ("free page that is the root", Rule::FreelistInUse, 3, |f| {
        f.freelist_page(2, &[9, 3])
    }),
    (
        "free page that continues another",
        Rule::FreelistInUse,
        8,
        |f| f.freelist_page(2, &[8, 9]),
    ),
    (
        "free page that is its own list",
        Rule::FreelistInUse,
        2,
        |f| f.freelist_page(2, &[2, 9]),
    ),
    ("free page twice", Rule::FreelistInUse, 9, |f| {
        f.freelist_page(2, &[9, 9])
    }),
    ("more free pages than room", Rule::FreelistCount, 2, |f| {
        f.u16(2, 10, 63)
    }),
    ("2^61 free pages", Rule::FreelistCount, 2, |f| {
        f.u16(2, 10, 0xFFFF);
        f.u64(2, 16, 1 << 61);
    }),
    ("free pages in a leaf", Rule::FreelistKind, 2, |f| {
        f.u16(2, 8, 2)
    }),
    (
        "list of free pages is the root",
        Rule::FreelistKind,
        3,
        |f| f.freelist = 3,
    ),
    (
        "inline bucket in an inline bucket",
        Rule::InlineBucket,
        3,
        |f| {
            let inner = [bucket(0), leaf_bytes(0, &[])].concat();
            let outer = [bucket(0), leaf_bytes(0, &[(1, b"k", inner)])].concat();
            f.leaf(3, &[(1, b"b", bucket(4)), (1, b"c", outer)]);
        },
    ),
    ("inline branch", Rule::InlineKind, 3, |f| {
        let mut page = leaf_bytes(0, &[]);
        page[8] = 1;
        f.leaf(
            3,
            &[(1, b"b", bucket(4)), (1, b"c", [bucket(0), page].concat())],
        );
    }),
    ("inline page of another kind", Rule::InlineKind, 3, |f| {
        let page = vec![0; 16];
        f.leaf(
            3,
            &[(1, b"b", bucket(4)), (1, b"c", [bucket(0), page].concat())],
        );
    }),
    (
        "more elements in an inline page than room",
        Rule::PageElements,
        3,
        |f| {
            let mut page = leaf_bytes(0, &[]);
            page[10] = 1;
            f.leaf(
                3,
                &[(1, b"b", bucket(4)), (1, b"c", [bucket(0), page].concat())],
            );
        },
    ),
    ("key outside its page", Rule::ElementBounds, 6, |f| {
        f.u32(6, 16 + 4, 512)
    }),
    ("value outside its page", Rule::ElementBounds, 6, |f| {
        f.u32(6, 16 + 12, 500)
    }),
    ("lengths that add up to 2^32", Rule::ElementBounds, 6, |f| {
        f.u32(6, 16 + 12, u32::MAX)
    }),
    ("place that adds up to 2^32", Rule::ElementBounds, 6, |f| {
        f.u32(6, 16 + 4, u32::MAX)
    }),
    (
        "branch's key outside its page",
        Rule::ElementBounds,
        5,
        |f| f.u32(5, 16, 600),
    ),
    ("element of flag 2", Rule::ElementFlags, 6, |f| {
        f.u32(6, 16, 2)
    }),
    ("key inside the table", Rule::ElementOverlap, 6, |f| {
        f.u32(6, 16 + 4, 0)
    }),
    ("two keys in one place", Rule::ElementOverlap, 6, |f| {
        f.u32(6, 32 + 4, 16)
    }),
    ("key below its branch", Rule::KeyBelowParent, 6, |f| {
        f.leaf(6, &[(0, b"A", b"1".into())]);
    }),
    ("key of the next page", Rule::KeyAboveParent, 6, |f| {
        f.leaf(6, &[(0, b"a", b"1".into()), (0, b"m", b"2".into())]);
    }),
    (
        "key of the next page but one level up",
        Rule::KeyAboveParent,
        9,
        |f| {
            f.freelist_page(2, &[]);
            f.branch(6, &[(b"a", 9)]);
            f.leaf(9, &[(0, b"z", b"1".into())]);
        },
    ),
    ("empty key", Rule::KeyLength, 6, |f| f.u32(6, 16 + 8, 0)),
    ("empty key of a branch", Rule::KeyLength, 5, |f| {
        f.u32(5, 16 + 4, 0)
    }),
    ("key of 32769 bytes", Rule::KeyLength, 6, |f| {
        f.u32(6, 16 + 8, 32_769)
    }),
    ("keys that fall", Rule::KeyOrder, 6, |f| {
        f.leaf(6, &[(0, b"b", b"1".into()), (0, b"a", b"2".into())]);
    }),
    ("key twice", Rule::KeyOrder, 6, |f| {
        f.leaf(6, &[(0, b"a", b"1".into()), (0, b"a", b"2".into())]);
    }),
    ("keys of a branch that fall", Rule::KeyOrder, 5, |f| {
        f.branch(5, &[(b"m", 7), (b"a", 6)])
    }),
    ("more elements than room", Rule::PageElements, 6, |f| {
        f.u16(6, 10, 32)
    }),
    ("65,535 elements", Rule::PageElements, 6, |f| {
        f.u16(6, 10, u16::MAX)
    }),
    ("page of another number", Rule::PageId, 6, |f| {
        f.u64(6, 0, 7)
    }),
    ("page of no kind", Rule::PageKind, 6, |f| f.u16(6, 8, 0)),
    ("page of two kinds", Rule::PageKind, 6, |f| f.u16(6, 8, 3)),
    ("free list in a tree", Rule::PageKind, 6, |f| {
        f.u16(6, 8, 0x10)
    }),
    ("meta page in a tree", Rule::PageNumber, 1, |f| {
        f.branch(5, &[(b"a", 1), (b"m", 7)])
    }),
    ("page behind the last", Rule::PageNumber, 10, |f| {
        f.branch(5, &[(b"a", 6), (b"m", 10)])
    }),
    ("page 2^64 - 1", Rule::PageNumber, u64::MAX, |f| {
        f.branch(5, &[(b"a", 6), (b"m", u64::MAX)])
    }),
    ("continued past the end", Rule::PageOverflow, 7, |f| {
        f.u32(7, 12, 3)
    }),
    ("continued by 2^31 pages", Rule::PageOverflow, 7, |f| {
        f.u32(7, 12, 1 << 31)
    }),
    ("page that leads to itself", Rule::PageShared, 5, |f| {
        f.branch(5, &[(b"a", 5), (b"m", 7)])
    }),
    (
        "two pages that lead to each other",
        Rule::PageShared,
        5,
        |f| f.branch(6, &[(b"a", 5)]),
    ),
    ("page from two places", Rule::PageShared, 6, |f| {
        f.branch(5, &[(b"a", 6), (b"m", 6)])
    }),
    ("bucket that is its own root", Rule::PageShared, 3, |f| {
        f.leaf(4, &[(1, b"record", bucket(3))]);
    }),
    ("page that continues another", Rule::PageShared, 8, |f| {
        f.branch(5, &[(b"a", 7), (b"z", 8)]);
        f.at(8, 0, &forge::header(8, forge::LEAF, 0));
    }),
    ("page that nothing knows", Rule::PageLost, 9, |f| {
        f.freelist_page(2, &[])
    }),
];

#[test]
fn each_rule_has_its_name() {
    let sound = BoltFile::from_bytes(Forge::sound().finish()).unwrap();
    sound.check().expect("sound before it is spoiled");
    for (name, rule, page, spoil) in CASES {
        let mut forge = Forge::sound();
        spoil(&mut forge);
        let checked = BoltFile::from_bytes(forge.finish()).and_then(|file| file.check());
        match checked {
            Err(BoltError::Damaged(damage)) => {
                assert_eq!((damage.rule, damage.page), (*rule, *page), "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// How the bytes of a finished file are spoiled, and why its first page is not taken then.
type MetaCase = (&'static str, Rule, fn(&mut Vec<u8>));

const META_CASES: &[MetaCase] = &[
    ("magic", Rule::MetaMagic, |b| b[16] ^= 1),
    ("version", Rule::MetaVersion, |b| b[20] = 3),
    ("check value", Rule::MetaChecksum, |b| b[72] ^= 1),
    ("anything under the check value", Rule::MetaChecksum, |b| {
        b[64] ^= 1
    }),
    ("kind", Rule::MetaHeader, |b| b[8] = 2),
    ("number", Rule::MetaHeader, |b| b[0] = 1),
];

#[test]
fn each_rule_of_a_meta_page_has_its_name() {
    for (name, rule, spoil) in META_CASES {
        let mut bytes = Forge::sound().finish();
        // The other one is no meta page at all.
        bytes[512..600].fill(0);
        spoil(&mut bytes);
        expect_no_bolt(name, bytes, *rule);
    }
    let signed: [MetaCase; 9] = [
        ("page size 0", Rule::MetaPageSize, |b| b[24..28].fill(0)),
        ("page size 1", Rule::MetaPageSize, |b| {
            b[24..28].copy_from_slice(&1_u32.to_le_bytes())
        }),
        ("page size 256", Rule::MetaPageSize, |b| {
            b[24..28].copy_from_slice(&256_u32.to_le_bytes())
        }),
        ("page size 513", Rule::MetaPageSize, |b| {
            b[24..28].copy_from_slice(&513_u32.to_le_bytes())
        }),
        ("page size 1 GiB", Rule::MetaPageSize, |b| {
            b[24..28].copy_from_slice(&(1_u32 << 30).to_le_bytes());
        }),
        ("root that is a meta page", Rule::MetaRoot, |b| b[32] = 1),
        ("root behind the end", Rule::MetaRoot, |b| b[32] = 10),
        (
            "list of free pages behind the end",
            Rule::MetaFreelist,
            |b| b[48] = 10,
        ),
        ("no pages", Rule::MetaRoot, |b| b[56] = 0),
    ];
    for (name, rule, spoil) in signed {
        let mut bytes = Forge::sound().finish();
        spoil(&mut bytes);
        forge::sign(&mut bytes, 512);
        bytes[512..600].fill(0);
        expect_no_bolt(name, bytes, rule);
    }
}

fn expect_no_bolt(name: &str, bytes: Vec<u8>, rule: Rule) {
    match BoltFile::from_bytes(bytes) {
        Err(BoltError::NotBolt { first, .. }) => assert_eq!(first, rule, "{name}"),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn the_newest_sound_meta_page_counts_wherever_it_is() {
    for page_size in [512, 1_024, 4_096, 16_384, 65_536, 1 << 20] {
        for spoiled in [None, Some(0), Some(page_size)] {
            let mut forge = Forge::new(page_size, 4);
            forge.freelist_page(2, &[]);
            forge.leaf(3, &[]);
            let mut bytes = forge.finish();
            if let Some(at) = spoiled {
                bytes[at + 16] ^= 1;
            }
            let file = BoltFile::from_bytes(bytes).unwrap();
            assert_eq!(file.page_size(), page_size as u64);
            file.check().unwrap();
        }
    }
}

#[test]
fn the_later_transaction_counts() {
    let mut forge = Forge::sound();
    forge.freelist_page(2, &[]);
    forge.leaf(9, &[(1, b"other", bucket(4))]);
    let mut bytes = forge.finish();
    for (newer, expected) in [(0, "other"), (1, "b")] {
        // Page 0 has its root at page 9, page 1 at page 3.
        bytes[32] = 9;
        bytes[64] = if newer == 0 { 2 } else { 0 };
        forge::sign(&mut bytes, 512);
        let file = BoltFile::from_bytes(bytes.clone()).unwrap();
        assert_eq!(file.session_buckets().unwrap(), [expected]);
    }
}

#[test]
fn a_second_meta_page_that_says_another_size_is_not_taken() {
    let mut bytes = Forge::sound().finish();
    bytes[16] ^= 1;
    bytes[512 + 24..512 + 28].copy_from_slice(&1_024_u32.to_le_bytes());
    forge::sign(&mut bytes, 512);
    bytes[16] ^= 2;
    match BoltFile::from_bytes(bytes) {
        Err(BoltError::NotBolt { first, second }) => {
            assert_eq!((first, second), (Rule::MetaMagic, Rule::MetaPageSize));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_cut_anywhere_is_told() {
    let sound = Forge::sound().finish();
    for length in 0..sound.len() {
        let error = BoltFile::from_bytes(sound[..length].to_vec()).unwrap_err();
        match error {
            BoltError::NotBolt { first, second } => {
                assert_eq!((first, second), (Rule::MetaShort, Rule::MetaShort));
                assert!(length < 80);
            }
            BoltError::Damaged(damage) => assert_eq!(damage.rule, Rule::PageCount),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn more_pages_than_can_be_checked_are_refused_at_once() {
    // A hole of 64 GiB and a page.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sparse.db");
    let mut forge = Forge::sound();
    forge.pages = (1 << 27) + 1;
    std::fs::write(&path, forge.finish()).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(((1 << 27) + 1) * 512).unwrap();
    match BoltFile::open(&path) {
        Err(BoltError::Damaged(damage)) => assert_eq!(damage.rule, Rule::TooManyPages),
        other => panic!("{other:?}"),
    }
}

#[test]
fn depth_is_bounded() {
    // A branch below a branch below a branch ...
    let mut forge = Forge::new(512, 100);
    forge.freelist = u64::MAX;
    for page in 3..99 {
        forge.branch(page, &[(b"a", page + 1)]);
    }
    forge.leaf(99, &[]);
    let tree = forge.finish();
    // ... and a bucket in a bucket in a bucket ...
    let mut forge = Forge::new(512, 100);
    forge.freelist = u64::MAX;
    for page in 3..99 {
        forge.leaf(page, &[(1, b"a", bucket(page + 1))]);
    }
    forge.leaf(99, &[]);
    for bytes in [tree, forge.finish()] {
        let error = BoltFile::from_bytes(bytes).unwrap().check().unwrap_err();
        match error {
            BoltError::Damaged(damage) => assert_eq!(damage.rule, Rule::TooDeep),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn no_rule_is_without_a_file_that_breaks_it() {
    let mut tested: HashSet<Rule> = CASES.iter().map(|case| case.1).collect();
    tested.extend(META_CASES.iter().map(|case| case.1));
    // Each in a test of its own above.
    tested.extend([
        Rule::MetaPageSize,
        Rule::MetaRoot,
        Rule::MetaFreelist,
        Rule::MetaShort,
        Rule::PageCount,
        Rule::TooManyPages,
        Rule::TooDeep,
    ]);
    for rule in Rule::ALL {
        assert!(tested.contains(rule), "{rule:?}");
    }
}

/// The list of free pages in all its forms.
#[test]
fn free_pages_are_counted() {
    let count = |forge: Forge| {
        let file = BoltFile::from_bytes(forge.finish()).unwrap();
        file.check().map(|checked| checked.free_pages)
    };
    assert_eq!(count(Forge::sound()).unwrap(), 1);

    let mut none = Forge::sound();
    none.freelist = u64::MAX;
    assert_eq!(count(none).unwrap(), 0);

    // More than a count of 16 bits can hold.
    let free = 70_000;
    let mut many = Forge::new(512, 4);
    let list_pages = (24 + free as usize * 8).div_ceil(512) as u64;
    many.pages = 4 + list_pages + free;
    many.bytes.resize(512 * many.pages as usize, 0);
    many.leaf(3, &[]);
    many.freelist = 4;
    let mut list = forge::header(4, 0x10, 0xFFFF);
    list.extend(free.to_le_bytes());
    let first = 4 + list_pages;
    (first..first + free - 1)
        .chain([2])
        .for_each(|id| list.extend(id.to_le_bytes()));
    many.at(4, 0, &list);
    many.u32(4, 12, list_pages as u32 - 1);
    many.pages -= 1;
    assert_eq!(count(many).unwrap(), free);
}
