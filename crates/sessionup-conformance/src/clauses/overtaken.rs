//! A login under way does not slip past the revocation of all of its user's sessions.

use sessionup_core::{CreateOptions, Epoch, Record, Store as _, StoreError};

use crate::Fixture;
use crate::races::at_once;
use crate::sample::{ann, at, id, record, record_of, replacing, user};

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
            let options = CreateOptions::default().begun(Some(begun));
            let login = record(round * 10 + n);
            match fixture.try_create(&login, options, at(0)).await {
                Ok(_) | Err(StoreError::Overtaken) => {}
                Err(error) => panic!("a login is made or overtaken, not {error:?}"),
            }
        };
        at_once(fixture, 0..4, act).await;

        let why = "what began before the deletion is deleted or refused";
        fixture.expect_list(&ann(), &[], at(0), why).await;
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
