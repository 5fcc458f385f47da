//! A login under way does not slip past the revocation of all of its user's sessions.

use sessionup_core::{Change, CreateOptions, Epoch, Kind, Record, Store as _, StoreError};

use crate::Fixture;
use crate::races::at_once;
use crate::sample::{ann, at, hash, id, kinds, of_kind, record, record_of, replacing, user};

/// A login that began before its user's sessions were all deleted makes no session.
pub async fn login_from_before_delete_user_is_refused(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;
    let begun = fixture.store().epoch();
    fixture.delete_user(&ann(), &[]).await;

    expect_overtaken(fixture, &record(2), begun, CreateOptions::default()).await;
    expect_overtaken(fixture, &record(2), begun, CreateOptions::default()).await;
}

/// So it does not if sessions were excepted, or if there was none to delete.
pub async fn delete_user_of_nothing_overtakes_too(fixture: &Fixture) {
    let begun = fixture.store().epoch();
    assert_answer!(fixture.delete_user(&ann(), &[]).await, 0, "there is none");
    expect_overtaken(fixture, &record(2), begun, CreateOptions::default()).await;

    fixture.create(&record(1), at(0)).await;
    let begun = fixture.store().epoch();
    assert_answer!(fixture.delete_user(&ann(), &[id(1)]).await, 0, "excepted");
    expect_overtaken(fixture, &record(2), begun, CreateOptions::default()).await;
}

/// A login that is refused for it ends no session.
pub async fn overtaken_login_leaves_the_replaced_session_alive(fixture: &Fixture) {
    fixture.create(&record_of("bob", 1), at(0)).await;
    let begun = fixture.store().epoch();
    fixture.delete_user(&ann(), &[]).await;

    expect_overtaken(fixture, &record(2), begun, replacing(1)).await;

    let why = "a refused login changes nothing";
    fixture.expect_there(&record_of("bob", 1), at(0), why).await;
}

/// A login that began afterwards makes its session.
pub async fn login_from_after_delete_user_is_made(fixture: &Fixture) {
    for n in 1..=3 {
        fixture.delete_user(&ann(), &[]).await;
        let begun = fixture.store().epoch();
        expect_made(fixture, &record(n), begun).await;
    }
}

/// Logins of other users are not refused for it.
pub async fn delete_user_overtakes_no_other_user(fixture: &Fixture) {
    let begun = fixture.store().epoch();
    for other in ["a", "an", "anna", "Ann"] {
        fixture.delete_user(&user(other), &[]).await;
    }
    expect_made(fixture, &record(1), begun).await;
}

/// Logins of every kind of session are refused for it.
pub async fn delete_user_overtakes_logins_of_every_kind(fixture: &Fixture) {
    let begun = fixture.store().epoch();
    fixture.delete_user(&ann(), &[]).await;
    for (n, kind) in (1..).zip(kinds()) {
        let login = of_kind(n, &kind);
        expect_overtaken(fixture, &login, begun, CreateOptions::default()).await;
    }
}

/// A login that began before the others of its user were deleted makes no session, whether one was
/// kept and whether there was one to delete.
pub async fn login_from_before_delete_others_is_refused(fixture: &Fixture) {
    let expect_refused = async |why: &str, kept: bool, deleted: u64| {
        let begun = fixture.store().epoch();
        let change = Change::renew(hash(1), hash(1));
        let outcome = fixture.delete_others(&ann(), id(1), change, at(0)).await;
        assert_answer!(outcome.kept.is_some(), kept, "{why}");
        assert_answer!(outcome.deleted, deleted, "{why}");
        for login in [record(9), of_kind(9, &Kind::GUEST)] {
            expect_overtaken(fixture, &login, begun, CreateOptions::default()).await;
        }
    };
    expect_refused("there is no session", false, 0).await;
    fixture.create(&record(2), at(0)).await;
    expect_refused("the named session is absent", false, 1).await;
    fixture.create(&record(1), at(0)).await;
    expect_refused("there is no other", true, 0).await;
    fixture.create(&record(2), at(0)).await;
    expect_refused("there is another", true, 1).await;
}

/// A login that began after the others were deleted makes its session.
pub async fn login_from_after_delete_others_is_made(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;
    for n in 2..=4 {
        let change = Change::default();
        let deleted = fixture.delete_others(&ann(), id(1), change, at(0)).await;
        expect_made(fixture, &record(n), deleted.epoch).await;
        expect_made(fixture, &record(n), fixture.store().epoch()).await;
    }
}

/// Logins of other users are not refused for it, also not of the user whose session was named.
pub async fn delete_others_overtakes_no_other_user(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;
    let begun = fixture.store().epoch();
    for other in ["a", "an", "anna", "Ann"] {
        let (other, change) = (user(other), Change::default());
        fixture.delete_others(&other, id(1), change, at(0)).await;
    }
    expect_made(fixture, &record(2), begun).await;
}

/// A deletion of the others tells from which moment on logins were not overtaken before it, and are
/// not after it, as a deletion of all does.
pub async fn delete_others_tells_of_the_one_before(fixture: &Fixture) {
    let delete_others = async |n, key: &str| {
        let change = Change::default();
        fixture
            .delete_others(&user(key), id(n), change, at(0))
            .await
    };
    fixture.create(&record(1), at(0)).await;
    let opened = fixture.store().epoch();

    let first = delete_others(1, "ann").await;
    assert_answer!(first.previous, opened, "there was none before");
    assert_answer!(first.epoch, fixture.store().epoch(), "it is the latest");
    delete_others(1, "bob").await;
    let second = delete_others(1, "ann").await;
    assert_answer!(second.previous, first.epoch, "that of the same user");
    assert_answer!(second.epoch, fixture.store().epoch(), "it is the latest");
    let third = fixture.delete_user_and_tell(&ann(), &[]).await;
    assert_answer!(third.previous, second.epoch, "told by delete_user");
    let fourth = delete_others(9, "ann").await;
    assert_answer!(fourth.previous, third.epoch, "that of delete_user");

    let (login, none) = (record(2), CreateOptions::default());
    expect_overtaken(fixture, &login, third.epoch, none).await;
    expect_made(fixture, &login, fourth.epoch).await;
}

/// A login that began before the sessions of all users were deleted makes no session, whoever's it is
/// and whether there was one to delete.
pub async fn login_from_before_delete_all_is_refused(fixture: &Fixture) {
    let expect_refused = async |begun: Epoch| {
        let keys = ["ann", "bob", "never seen", "\u{10ffff}"];
        for (n, key) in (10..).zip(keys) {
            let login = record_of(key, n);
            expect_overtaken(fixture, &login, begun, CreateOptions::default()).await;
        }
        let login = of_kind(20, &Kind::GUEST);
        expect_overtaken(fixture, &login, begun, CreateOptions::default()).await;
    };
    let begun = fixture.store().epoch();
    assert_answer!(fixture.delete_all().await, 0, "there is none");
    expect_refused(begun).await;

    fixture.create(&record(1), at(0)).await;
    fixture.delete_user(&user("bob"), &[]).await;
    let begun = fixture.store().epoch();
    assert_answer!(fixture.delete_all().await, 1, "there is one");
    expect_refused(begun).await;
}

/// A login that began after all were deleted makes its session.
pub async fn login_from_after_delete_all_is_made(fixture: &Fixture) {
    for n in 1..=3 {
        fixture.delete_user(&ann(), &[]).await;
        fixture.delete_all().await;
        let begun = fixture.store().epoch();
        expect_made(fixture, &record(n), begun).await;
        expect_made(fixture, &record_of("bob", n), begun).await;
    }
}

/// A deletion of a user's sessions tells of the deletion of all that came before it, also if the user
/// had no session then.
pub async fn delete_user_after_delete_all_tells_of_it(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;
    fixture.delete_user(&user("bob"), &[]).await;
    fixture.delete_all().await;
    let all = fixture.store().epoch();

    for key in ["ann", "bob"] {
        let deleted = fixture.delete_user_and_tell(&user(key), &[]).await;
        assert_answer!(deleted.previous, all, "{key:?}: all were deleted before");
    }
    let (carl, change) = (user("carl"), Change::default());
    let deleted = fixture.delete_others(&carl, id(1), change, at(0)).await;
    assert_answer!(deleted.previous, all, "all were deleted before");
    let again = fixture.delete_user_and_tell(&carl, &[]).await;
    assert_answer!(again.previous, deleted.epoch, "that of the user is later");
}

/// A delete of one session refuses no login, nor does another login.
pub async fn nothing_else_overtakes_a_login(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;
    let begun = fixture.store().epoch();
    fixture.delete(id(1), None).await;
    fixture.create(&record(2), at(0)).await;
    fixture.create_with(&record(3), replacing(2), at(0)).await;
    fixture.prune_all(at(0), 10).await;

    expect_made(fixture, &record(4), begun).await;
}

/// A deletion of a user's sessions tells from which moment on logins were not overtaken before it,
/// and are not after it.
pub async fn delete_user_tells_of_the_one_before(fixture: &Fixture) {
    let opened = fixture.store().epoch();
    let first = fixture.delete_user_and_tell(&ann(), &[]).await;
    assert_answer!(first.previous, opened, "there was none before");
    assert_answer!(first.epoch, fixture.store().epoch(), "it is the latest");

    fixture.delete_user(&user("bob"), &[]).await;
    let second = fixture.delete_user_and_tell(&ann(), &[]).await;
    assert_answer!(second.previous, first.epoch, "that of the same user");
    assert_answer!(second.epoch, fixture.store().epoch(), "it is the latest");

    let overtaken = [opened, first.epoch];
    for (n, begun) in (1..).zip(overtaken) {
        expect_overtaken(fixture, &record(n), begun, CreateOptions::default()).await;
    }
    expect_made(fixture, &record(3), second.epoch).await;
}

/// A moment of another opening of the store cannot be judged, so the login is refused.
pub async fn moment_of_another_opening_is_refused(fixture: &Fixture) {
    let now = fixture.store().epoch();
    let other = Epoch::new(now.instance().wrapping_add(1), now.count());

    expect_overtaken(fixture, &record(1), other, CreateOptions::default()).await;
}

/// A login and a deletion of all of the user's sessions at once leave no session of the login.
pub async fn login_at_once_with_delete_user_leaves_no_session(fixture: &Fixture) {
    for round in 0..50 {
        let begun = fixture.store().epoch();
        let act = |fixture: Fixture, n: u32| async move {
            if n == 0 {
                fixture.delete_user(&ann(), &[]).await;
                return;
            }
            log_in(&fixture, &record(round * 10 + n), begun).await;
        };
        at_once(fixture, 0..4, act).await;

        let why = "what began before the deletion is deleted or refused";
        fixture.expect_list(&ann(), &[], at(0), why).await;
    }
}

/// A login and a deletion of the others at once leave no session of the login.
pub async fn login_at_once_with_delete_others_leaves_none(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;
    for round in 1..50 {
        let begun = fixture.store().epoch();
        let act = |fixture: Fixture, n: u32| async move {
            if n == 0 {
                let change = Change::default();
                fixture.delete_others(&ann(), id(1), change, at(0)).await;
                return;
            }
            log_in(&fixture, &record(round * 10 + n), begun).await;
        };
        at_once(fixture, 0..4, act).await;

        let why = "what began before the deletion is deleted or refused";
        fixture.expect_list(&ann(), &[id(1)], at(0), why).await;
    }
}

/// Logins of several users and a deletion of all sessions at once leave no session of a login.
pub async fn login_at_once_with_delete_all_leaves_none(fixture: &Fixture) {
    for round in 0..50 {
        let begun = fixture.store().epoch();
        let act = |fixture: Fixture, n: u32| async move {
            if n == 0 {
                fixture.delete_all().await;
                return;
            }
            let login = record_of(["ann", "bob"][n as usize % 2], round * 10 + n);
            log_in(&fixture, &login, begun).await;
        };
        at_once(fixture, 0..5, act).await;

        let why = "what began before the deletion is deleted or refused";
        for key in ["ann", "bob"] {
            fixture.expect_list(&user(key), &[], at(0), why).await;
        }
    }
}

/// Makes the session of a login, unless it was overtaken.
async fn log_in(fixture: &Fixture, login: &Record, begun: Epoch) {
    let options = CreateOptions::default().begun(Some(begun));
    match fixture.try_create(login, options, at(0)).await {
        Ok(_) | Err(StoreError::Overtaken) => {}
        Err(error) => panic!("a login is made or overtaken, not {error:?}"),
    }
}

async fn expect_overtaken(fixture: &Fixture, login: &Record, begun: Epoch, options: CreateOptions) {
    let user = &login.session.user_key;
    let before = fixture.listed_ids(user, at(0)).await;
    let options = options.begun(Some(begun));

    let refused = fixture.try_create(login, options, at(0)).await;

    assert!(
        matches!(refused, Err(StoreError::Overtaken)),
        "the login began before all sessions of its user were deleted, but: {refused:?}"
    );
    let why = "a login that was overtaken makes no session";
    fixture.expect_list(user, &before, at(0), why).await;
    let fetched = fixture.fetch(login.session.id, at(0)).await;
    assert_answer!(fetched, None, "{why}");
}

async fn expect_made(fixture: &Fixture, login: &Record, begun: Epoch) {
    let options = CreateOptions::default().begun(Some(begun));
    fixture.create_with(login, options, at(0)).await;
    let why = "nothing overtook the login";
    fixture.expect_there(login, at(0), why).await;
    fixture.delete(login.session.id, None).await;
}
