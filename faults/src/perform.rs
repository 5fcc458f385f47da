//! Having a store carry operations out.

use std::num::NonZeroUsize;

use futures_util::future::{try_join, try_join_all};
use sessionup_core::{
    CreateOptions, Record, SessionId, Store, StoreError, StoreExt, Timestamp, UserKey,
};

use crate::campaign::Violation;
use crate::model::{Answer, Model, Op};

/// How an operation failed.
#[derive(Debug)]
pub enum Failed {
    /// It may have happened.
    Unknown(StoreError),
    /// It has not happened.
    Refused(StoreError),
}

const BATCH: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();

/// Has a store carry an operation out.
///
/// # Errors
///
/// Errors of the store that are no answers.
pub async fn perform(store: &impl Store, op: &Op) -> Result<Answer, Failed> {
    let answer = match op.clone() {
        Op::Create {
            record,
            replaces,
            limit,
            now,
        } => {
            let options = CreateOptions::default().replacing(replaces).limited(limit);
            let created = store.create(*record, options, now).await;
            created.map(|created| Answer::Created {
                replaced: created.replaced,
                evicted: created.evicted.into_iter().collect(),
            })
        }
        Op::Fetch { id, now } => store.fetch(id, now).await.map(record),
        Op::List { user, now } => store.list(&user, now).await.map(|records| {
            Answer::Records(
                records
                    .into_iter()
                    .map(|record| (*record).clone())
                    .collect(),
            )
        }),
        Op::Update { id, change, now } => store.update(id, *change, now).await.map(record),
        Op::Delete { id, owner } => store.delete(id, owner.as_ref()).await.map(Answer::Deleted),
        Op::DeleteUser { user, except } => {
            let deleted = store.delete_user(&user, &except).await;
            deleted.map(|deleted| Answer::Count(deleted.deleted))
        }
        Op::PruneAll { now } => store.prune_all(now, BATCH).await.map(Answer::Count),
    };
    answer.or_else(|error| match error {
        StoreError::DuplicateId => Ok(Answer::Duplicate),
        StoreError::LimitReached { .. } => Ok(Answer::LimitReached),
        StoreError::InvalidMeta(_) => Ok(Answer::InvalidMeta),
        // That the disk is full is told of logins that are ended again in any case.
        StoreError::OutcomeUnknown { .. } | StoreError::Full { .. } => Err(Failed::Unknown(error)),
        error => Err(Failed::Refused(error)),
    })
}

fn record(record: Option<std::sync::Arc<Record>>) -> Answer {
    Answer::Record(record.map(|record| Box::new((*record).clone())))
}

/// Reads all that can be seen of a store: by each of these ids, and by each of these users, which
/// must come to the same.
///
/// # Errors
///
/// What cannot be read, and lists that do not agree with lookups.
pub async fn observe(
    store: &impl Store,
    ids: impl IntoIterator<Item = SessionId>,
    users: impl IntoIterator<Item = UserKey>,
    now: Timestamp,
) -> Result<Model, Violation> {
    let mut seen = Vec::new();
    for id in ids {
        seen.extend(look_up(store, id, now).await?);
    }
    let mut listed = Vec::new();
    for user in users {
        listed.extend(list(store, user, now).await?);
    }
    agreed(seen, listed)
}

/// As [`observe`], all of it at once: sooner, and in no order.
///
/// # Errors
///
/// Those of [`observe`].
pub async fn observe_at_once(
    store: &impl Store,
    ids: impl IntoIterator<Item = SessionId>,
    users: impl IntoIterator<Item = UserKey>,
    now: Timestamp,
) -> Result<Model, Violation> {
    let seen = try_join_all(ids.into_iter().map(|id| look_up(store, id, now)));
    let listed = try_join_all(users.into_iter().map(|user| list(store, user, now)));
    let (seen, listed) = try_join(seen, listed).await?;
    let listed = listed.into_iter().flatten().collect();
    agreed(seen.into_iter().flatten().collect(), listed)
}

async fn look_up(
    store: &impl Store,
    id: SessionId,
    now: Timestamp,
) -> Result<Option<Record>, Violation> {
    let record = store.fetch(id, now).await;
    let record = record.map_err(|error| Violation(format!("fetch of {id}: {error:?}")))?;
    Ok(record.map(|record| (*record).clone()))
}

async fn list(store: &impl Store, user: UserKey, now: Timestamp) -> Result<Vec<Record>, Violation> {
    let records = store.list(&user, now).await;
    let records = records.map_err(|error| Violation(format!("list of {user:?}: {error:?}")))?;
    let stray = records.iter().find(|it| it.session.user_key != user);
    match stray {
        Some(other) => Err(Violation(format!("list of {user:?} has {other:?}"))),
        None => Ok(records.iter().map(|record| (**record).clone()).collect()),
    }
}

fn agreed(seen: Vec<Record>, listed: Vec<Record>) -> Result<Model, Violation> {
    let count = listed.len();
    let (seen, listed) = (Model::of(seen), Model::of(listed));
    if listed != seen || listed.records().count() != count {
        return Err(Violation(format!(
            "lists have {listed:#?}, lookups {seen:#?}"
        )));
    }
    Ok(seen)
}
