//! A session is found by its id while it is live.

use sessionup_core::Timestamp;

use crate::Fixture;
use crate::sample::{DAY, ann, at, ending_at, id, idling, ms, odd_ids, record, record_with};

/// An id that was never given out is none, whatever its bytes.
pub async fn fetch_of_an_unknown_id_is_none(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;

    let unknown = odd_ids().into_iter().chain([id(0), id(2)]);
    for id in unknown {
        let fetched = fixture.fetch(id, at(0)).await;
        assert_answer!(fetched, None, "no session has the id {id}");
    }
}

/// A session is live until one millisecond before its absolute deadline, though nobody prunes.
pub async fn session_is_live_until_its_absolute_deadline(fixture: &Fixture) {
    let record = ending_at(1, at(100));
    fixture.create(&record, at(0)).await;

    let cases = [
        (0, true),
        (99, true),
        (100, false),
        (101, false),
        (DAY * 400, false),
    ];
    expect_lives(fixture, &record, &cases).await;
}

/// A session is live until one millisecond before its idle deadline, though nobody prunes.
pub async fn session_is_live_until_its_idle_deadline(fixture: &Fixture) {
    let record = record_with(1, |session| {
        session.last_seen_at = at(10);
        session.idle_timeout = Some(ms(90));
    });
    fixture.create(&record, at(10)).await;

    let cases = [
        (10, true),
        (99, true),
        (100, false),
        (101, false),
        (DAY, false),
    ];
    expect_lives(fixture, &record, &cases).await;
}

/// Of two deadlines the earlier one ends the session.
pub async fn earlier_deadline_ends_the_session(fixture: &Fixture) {
    let idle_first = idling(1, ms(50));
    let absolute_first = record_with(2, |session| {
        session.expires_at = at(60);
        session.idle_timeout = Some(ms(100));
    });
    fixture.create(&idle_first, at(0)).await;
    fixture.create(&absolute_first, at(0)).await;

    expect_lives(fixture, &idle_first, &[(49, true), (50, false)]).await;
    expect_lives(fixture, &absolute_first, &[(59, true), (60, false)]).await;
}

/// A deadline beyond all time is the end of time.
pub async fn far_deadline_does_not_overflow(fixture: &Fixture) {
    let last = Timestamp::from_millis(i64::MAX - 1);
    let record = record_with(1, |session| {
        session.last_seen_at = last;
        session.expires_at = Timestamp::MAX;
        session.idle_timeout = Some(ms(1_000));
    });
    fixture.create(&record, at(0)).await;

    let why = "a session is live before both of its deadlines";
    fixture.expect_there(&record, at(0), why).await;
    fixture.expect_there(&record, last, why).await;
    let why = "a session is not live at its deadline";
    fixture.expect_gone(&record, Timestamp::MAX, why).await;
}

/// That one session has expired does not hide another.
pub async fn expired_session_hides_no_other(fixture: &Fixture) {
    fixture.create(&ending_at(1, at(100)), at(0)).await;
    fixture.create(&record(2), at(0)).await;
    fixture.create(&ending_at(3, at(200)), at(0)).await;

    let why = "only what has expired is absent";
    fixture
        .expect_list(&ann(), &[id(2), id(3)], at(100), why)
        .await;
    fixture.expect_there(&record(2), at(200), why).await;
}

async fn expect_lives(fixture: &Fixture, record: &sessionup_core::Record, cases: &[(i64, bool)]) {
    for &(now, live) in cases {
        let now_or_not = if live { "live" } else { "expired" };
        let why = format!("{now} ms after the beginning the session is {now_or_not}");
        if live {
            fixture.expect_there(record, at(now), &why).await;
        } else {
            fixture.expect_gone(record, at(now), &why).await;
        }
    }
}
