use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::ManualClock;

const MINUTE: i64 = 60 * 1_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// What a clock shows, one after the other, and what follows from the last of it: the time to judge
/// by, that to prune up to, and how many jumps there were.
#[test]
fn time_goes_on_stands_still_or_is_followed() {
    let cases: &[(&str, &[i64], i64, i64, u64)] = &[
        ("first time is believed", &[5 * YEAR], 5 * YEAR, 5 * YEAR, 0),
        ("goes on", &[0, 1], 1, 1, 0),
        ("goes on by a day", &[0, DAY], DAY, DAY, 0),
        ("same moment", &[7, 7], 7, 7, 0),
        ("back by a moment", &[7, 6], 7, 7, 0),
        ("back by a day", &[0, -DAY], 0, 0, 0),
        ("back and on", &[0, -DAY, -HOUR], 0, 0, 0),
        ("back and past where it was", &[0, -DAY, 1], 1, 1, 0),
        ("ahead by more than a day", &[0, DAY + 1], DAY + 1, 0, 1),
        ("ahead by years", &[0, 9 * YEAR], 9 * YEAR, 0, 1),
        ("ahead, and a bit back", &[0, YEAR, YEAR - HOUR], YEAR, 0, 1),
        (
            "ahead for almost a day",
            &[0, YEAR, YEAR + DAY - 1],
            YEAR + DAY - 1,
            0,
            1,
        ),
        (
            "ahead for a day",
            &[0, YEAR, YEAR + HOUR, YEAR + DAY],
            YEAR + DAY,
            YEAR + DAY,
            1,
        ),
        ("ahead and back", &[0, YEAR, MINUTE], MINUTE, MINUTE, 2),
        ("ahead and back before", &[0, YEAR, -MINUTE], 0, 0, 2),
        (
            "ahead, and further before a day is over",
            &[0, YEAR, YEAR + HOUR, 2 * YEAR, 2 * YEAR + DAY - HOUR],
            2 * YEAR + DAY - HOUR,
            0,
            2,
        ),
        ("back by years", &[0, -9 * YEAR], 0, 0, 1),
        (
            "back for almost a day",
            &[0, -YEAR, DAY - 1 - YEAR],
            0,
            0,
            1,
        ),
        (
            "back for a day",
            &[0, -YEAR, DAY - YEAR],
            DAY - YEAR,
            DAY - YEAR,
            1,
        ),
        (
            "back for a while",
            &[0, -YEAR, HOUR - YEAR, HOUR],
            HOUR,
            HOUR,
            2,
        ),
        (
            "back by so little that it catches up",
            &[0, -DAY - HOUR, -DAY, -HOUR, HOUR],
            HOUR,
            HOUR,
            1,
        ),
        ("ahead, then back by years", &[0, YEAR, -YEAR], 0, 0, 2),
        ("the ends of time", &[0, i64::MAX, i64::MIN], 0, 0, 2),
    ];
    for (name, shown, now, prune_up_to, jumps) in cases {
        let watermark = Watermark::default();
        let judged = shown.iter().map(|time| watermark.observe(at(*time))).last();
        let (now, prune_up_to) = (at(*now), at(*prune_up_to));
        assert_eq!(judged, Some(Judged { now, prune_up_to }), "{name}");
        assert_eq!(watermark.jumps.load(SeqCst), *jumps, "{name}");
    }
}

/// An office's machine: it runs by day, and not at the weekend.
#[test]
fn stay_after_a_jump_is_counted_over_restarts() {
    let mut watermark = Watermark::default();
    watermark.observe(at(0));
    let monday = 3 * DAY;
    for (hours, settled) in [
        (0, 0),
        (9, 0),
        (23, 0),
        (24, monday + DAY),
        (33, monday + 33 * HOUR),
    ] {
        watermark = Watermark::resuming(watermark.marks());
        let judged = watermark.observe(at(monday + hours * HOUR));
        assert_eq!(judged.now, at(monday + hours * HOUR), "{hours}");
        assert_eq!(judged.prune_up_to, at(settled), "{hours}");
    }
}

#[test]
fn everybody_is_told_once_of_a_jump() {
    let watermark = Watermark::default();
    let clock = ManualClock::at(at(0));
    let [first, second] = [(); 2].map(|()| Steady::new(Arc::new(clock.clone())));
    assert_eq!(first.look(&watermark).1, None);
    clock.set(at(YEAR));
    let jump = Some(Jump {
        from: at(0),
        to: at(YEAR),
    });
    for told in [jump, None] {
        assert_eq!(first.look(&watermark).1, told);
        assert_eq!(second.look(&watermark).1, told);
    }
}

#[test]
fn looks_at_once_lose_no_time() {
    let watermark = Watermark::default();
    watermark.observe(at(0));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let watermark = &watermark;
            scope.spawn(move || {
                let mut before = at(0);
                for millis in (thread..20_000).step_by(4) {
                    let now = watermark.observe(at(millis)).now;
                    assert!(now >= before.max(at(millis)));
                    before = now;
                }
            });
        }
    });
    assert_eq!(watermark.marks(), Marks::new(at(19_999), None));
    assert_eq!(watermark.jumps.load(SeqCst), 0);
}

/// Steps of a clock: mostly on, sometimes back or ahead a little, sometimes by years.
fn steps() -> impl Strategy<Value = Vec<i64>> {
    let step = prop_oneof![
        6 => 0..=DAY,
        2 => -DAY..=DAY,
        1 => -10 * YEAR..=10 * YEAR,
    ];
    prop::collection::vec(step, 1..200)
}

/// By how much a clock is wrong: a little, or by days and years.
fn wrong_by() -> impl Strategy<Value = i64> {
    prop_oneof![
        -12 * HOUR..=12 * HOUR,
        3 * DAY..=10 * YEAR,
        -10 * YEAR..=-3 * DAY,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// What was refused at a settled time is not live again, whatever the clock does and also
    /// without a cleanup, unless the clock has stayed behind for a day; and by then a cleanup has
    /// deleted it.
    #[test]
    fn dead_stays_dead(steps in steps(), restart_each in 1_usize..20) {
        let mut watermark = Watermark::default();
        let (mut clock, mut floor) = (0, Timestamp::MIN);
        // The first and the latest of the times from each moment on, as long as the clock did not jump.
        let mut stays = Vec::<(i64, i64)>::new();
        for (n, step) in steps.into_iter().enumerate() {
            clock += step;
            if n % restart_each == 0 {
                watermark = Watermark::resuming(watermark.marks());
            }
            stays.retain(|(_, latest)| (clock - latest).abs() <= DAY);
            stays.push((clock, clock));
            for (_, latest) in &mut stays {
                *latest = clock.max(*latest);
            }
            let Judged { now, prune_up_to } = watermark.observe(at(clock));
            prop_assert!(prune_up_to <= now, "what is deleted is refused");
            prop_assert!(at(clock) <= now, "nothing lives longer than by the clock");
            if now < floor {
                let has_stayed = stays.iter().any(|(first, latest)| latest - first >= DAY);
                prop_assert!(has_stayed, "{stays:?}");
                floor = now;
            }
            floor = floor.max(prune_up_to);
        }
    }

    /// A clock that is wrong for less than a day at a time, by up to ten years, does no harm: when it
    /// is right, time is what it shows, or what it had shown without a jump; and nothing is deleted
    /// that was not over by then.
    #[test]
    fn wrong_clock_does_no_harm_once_it_is_right(
        spells in prop::collection::vec(
            // How long it is right, by how much and how long it is wrong, and how often it is looked
            // at meanwhile.
            (1..DAY, wrong_by(), 1..DAY, 1_i64..9),
            1..60,
        ),
    ) {
        let watermark = Watermark::default();
        let look = |shown| watermark.observe(at(shown));
        look(0);
        let (mut real, mut shown_without_jump) = (0, 0);
        for (right, wrong_by, wrong, looks) in spells {
            for n in 0..=looks {
                let shown = real + wrong_by + wrong * n / looks;
                let judged = look(shown);
                if wrong_by.abs() < DAY {
                    shown_without_jump = shown_without_jump.max(shown);
                }
                prop_assert_eq!(judged.prune_up_to, at(shown_without_jump));
                prop_assert_eq!(judged.now, at(shown_without_jump.max(shown)));
            }
            real += wrong;
            for n in 0..=looks {
                let shown = real + right * n / looks;
                shown_without_jump = shown_without_jump.max(shown);
                let time = at(shown_without_jump);
                prop_assert_eq!(look(shown), Judged { now: time, prune_up_to: time });
            }
            real += right;
        }
    }
}
