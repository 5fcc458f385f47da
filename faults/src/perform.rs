//! Having a store carry operations out.

use std::num::NonZeroUsize;

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
        let record = store.fetch(id, now).await;
        let record = record.map_err(|error| Violation(format!("fetch of {id}: {error:?}")))?;
        seen.extend(record.map(|record| (*record).clone()));
    }
    let seen = Model::of(seen);
    let mut listed = Vec::new();
    for user in users {
        let records = store.list(&user, now).await;
        let records = records.map_err(|error| Violation(format!("list of {user:?}: {error:?}")))?;
        if let Some(other) = records
            .iter()
            .find(|record| record.session.user_key != user)
        {
            return Err(Violation(format!("list of {user:?} has {other:?}")));
        }
        listed.extend(records.iter().map(|record| (**record).clone()));
    }
    let count = listed.len();
    let listed = Model::of(listed);
    if listed != seen || listed.records().count() != count {
        return Err(Violation(format!(
            "lists have {listed:#?}, lookups {seen:#?}"
        )));
    }
    Ok(seen)
}
