//! What docs/security.md must have a row for.

/// Letters and the last number of what this library asks of itself before 1.0, and the numbers that
/// may come after it.
const OWN: [(&str, usize, &[usize]); 10] = [
    ("TOK", 13, &[]),
    ("LIF", 22, &[]),
    ("CKI", 17, &[]),
    ("HTP", 13, &[12]),
    ("NET", 8, &[]),
    ("STO", 15, &[]),
    ("LOG", 3, &[]),
    ("FLT", 18, &[]),
    ("DUR", 20, &[]),
    ("IMP", 7, &[]),
];

/// ASVS 5.0, chapter 7: sections, and how many requirements each has.
const CHAPTER_7: [(&str, usize); 6] = [
    ("7.1", 3),
    ("7.2", 4),
    ("7.3", 2),
    ("7.4", 5),
    ("7.5", 3),
    ("7.6", 2),
];

/// ASVS 5.0, what other chapters ask of a library of sessions.
const OTHERS: [&str; 39] = [
    "3.3.1", "3.3.2", "3.3.3", "3.3.4", "3.3.5", "3.5.1", "3.5.2", "3.5.3", "4.1.3", "4.2.3",
    "4.2.4", "4.2.5", "4.4.3", "4.4.4", "11.2.4", "11.4.3", "11.5.1", "11.5.2", "14.2.1", "14.2.7",
    "14.3.1", "14.3.2", "15.2.2", "15.3.1", "15.3.4", "15.4.1", "15.4.2", "15.4.3", "15.4.4",
    "16.2.5", "16.3.1", "16.3.2", "16.3.3", "16.3.4", "16.4.1", "16.5.1", "16.5.2", "16.5.3",
    "16.5.4",
];

pub(crate) fn all() -> Vec<String> {
    let own = OWN.iter().flat_map(|(letters, last, later)| {
        let numbers = (1..=*last).filter(|number| !later.contains(number));
        numbers.map(move |number| format!("{letters}-{number:02}"))
    });
    let chapter_7 = CHAPTER_7
        .iter()
        .flat_map(|(section, last)| (1..=*last).map(move |number| format!("{section}.{number}")));
    own.chain(chapter_7)
        .chain(OTHERS.map(String::from))
        .collect()
}

#[test]
fn they_are_as_many_as_their_sources_have() {
    let all = all();
    let of = |is: fn(&str) -> bool| all.iter().filter(|id| is(id)).count();
    assert_eq!(of(|id| id.contains('-')), 135);
    assert_eq!(of(|id| id.starts_with("7.")), 19);
    assert_eq!(all.len(), 135 + 19 + OTHERS.len());
}
