//! Opens the file that a child left, and looks at what is in it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redb::Database;
use sessionup_core::{Record, Session, Timestamp};
use sessionup_redb::RedbStore;

use crate::campaign::{Rng, Tally, Violation, ensure};
use crate::kept::kept;
use crate::model::{Answer, Model, Op};
use crate::perform::{observe, perform};
use crate::process::witness::Witness;
use crate::script::{hash, id, user};

/// A login and a logout that belong to no script, and their answers.
#[must_use]
pub fn spare(now: Timestamp) -> [(Op, Answer); 2] {
    let expires_at = now.saturating_add(Duration::from_secs(3_600));
    let session = Session::new(id(u64::MAX), user(0), now, expires_at);
    let login = Op::Create {
        record: Box::new(Record::new(session, hash(0))),
        replaces: None,
        limit: None,
        now,
    };
    let logout = Op::Delete {
        id: id(u64::MAX),
        owner: Some(user(0)),
    };
    let created = Answer::Created {
        replaced: false,
        evicted: std::collections::BTreeSet::new(),
    };
    [(login, created), (logout, Answer::Deleted(true))]
}

/// Looks at the file now that the child is gone: its lock is free, it opens, records and indexes
/// agree, what is there can have come of what was done, and a login and a logout work.
///
/// # Errors
///
/// What of this does not hold.
pub fn look(
    path: &Path,
    witness: &mut Witness,
    rng: &mut Rng,
    tally: &mut Tally,
) -> Result<(), Violation> {
    tally.count("looks");
    check_directory(path)?;
    let is_there = path.exists();
    ensure(is_there || !witness.was_open(), || {
        format!("{} is gone", path.display())
    })?;
    tally.add("unmade", u64::from(!is_there));
    let store = if is_there && rng.bool() {
        open_by_hand(path)?
    } else {
        open(path)?
    };
    let now = witness.scenario().now();
    futures_executor::block_on(async {
        // At a time at which all records are live, the dead ones too.
        let (ids, users) = (witness.scenario().ids(), witness.scenario().users());
        let found = observe(&store, ids, users, Timestamp::from_millis(0)).await?;
        check_live(&store, witness, &found, now).await?;
        witness.found(found)?;
        for (op, expected) in spare(now) {
            let answer = perform(&store, &op).await;
            ensure(answer.as_ref().ok() == Some(&expected), || {
                format!("{op:?} was answered with {answer:?}, expected {expected:?}")
            })?;
        }
        store.close().await;
        Ok(())
    })
}

/// What is live by the store's own rules is live by ours.
async fn check_live(
    store: &RedbStore,
    witness: &Witness,
    found: &Model,
    now: Timestamp,
) -> Result<(), Violation> {
    let (ids, users) = (witness.scenario().ids(), witness.scenario().users());
    let live = observe(store, ids, users, now).await?;
    let expected = Model::of(found.live(now).cloned());
    ensure(live == expected, || {
        format!("live are {live:#?}, expected {expected:#?}")
    })
}

fn open(path: &Path) -> Result<RedbStore, Violation> {
    // Whoever had the lock is gone, so nobody need wait.
    let builder = RedbStore::builder()
        .lock_wait(Duration::ZERO)
        .cleanup_interval(Duration::ZERO);
    let opened = builder.open(path);
    opened.map_err(|error| Violation(format!("the file does not open: {error:?}")))
}

/// Opens the file without the store's help, and holds records and indexes to the format.
fn open_by_hand(path: &Path) -> Result<RedbStore, Violation> {
    let cannot = |error: &dyn std::fmt::Debug| {
        Violation(format!("the file does not open by hand: {error:?}"))
    };
    // A process that died on a file of its own making may not have got to its first byte.
    let database = Database::create(path).map_err(|error| cannot(&error))?;
    kept(&database, "sessions")?;
    RedbStore::new(Arc::new(database), "sessions", Duration::ZERO).map_err(|error| cannot(&error))
}

/// Whoever is killed while it makes the database leaves an empty one beside it, and nothing else.
fn check_directory(path: &Path) -> Result<(), Violation> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let directory = path.parent().unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(directory).map_err(Violation::new)?;
    for entry in entries {
        let entry = entry.map_err(Violation::new)?.file_name();
        let entry = entry.to_string_lossy();
        let is_known = entry
            .strip_prefix(&*name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(".new-") || rest == ".reserve");
        ensure(is_known, || format!("{entry} lies beside the file"))?;
    }
    Ok(())
}
