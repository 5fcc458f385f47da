//! The tables of the embedded store, read past the store, against what it must hold.

use std::collections::{BTreeMap, BTreeSet};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use sessionup_core::{Session, SessionId};

use crate::campaign::{Violation, ensure};
use crate::model::Model;

type Id = &'static [u8; 16];

/// Holds the tables of a bucket against the records that must be there.
///
/// # Errors
///
/// A record too many or too few, and entries of indexes that are not exactly theirs.
pub(super) fn check(database: &Database, bucket: &str, world: &Model) -> Result<(), Violation> {
    let tables = Tables::read(database, bucket).map_err(Violation::new)?;
    let sessions = || world.records().map(|record| &record.session);
    let ids: BTreeSet<_> = sessions().map(|session| session.id).collect();
    ensure(tables.ids == ids, || {
        format!("{bucket} has {:?} instead of {ids:?}", tables.ids)
    })?;
    let users = sessions().map(|session| {
        let user = session.user_key.as_str().as_bytes().to_vec();
        (user, session.id)
    });
    let users: BTreeSet<_> = users.collect();
    ensure(tables.by_user == users, || {
        format!("{bucket} lists {:?} instead of {users:?}", tables.by_user)
    })?;
    for session in sessions() {
        let steps = tables.by_expiry.get(&session.id).map(Vec::as_slice);
        let filed = matches!(steps, Some([step]) if *step <= last_step(session));
        ensure(filed, || {
            format!("{bucket} files {session:?} under {steps:?}")
        })?;
    }
    ensure(tables.by_expiry.len() == ids.len(), || {
        format!("{bucket} files {:?} instead of {ids:?}", tables.by_expiry)
    })
}

/// The step of a session's deadline, by the definition of the format.
fn last_step(session: &Session) -> i64 {
    let idle = session.idle_timeout.map(|idle| {
        let idle = i64::try_from(idle.as_millis()).unwrap_or(i64::MAX);
        session.last_seen_at.as_millis().saturating_add(idle)
    });
    let absolute = session.expires_at.as_millis();
    idle.map_or(absolute, |idle| idle.min(absolute)) >> 16
}

struct Tables {
    ids: BTreeSet<SessionId>,
    by_user: BTreeSet<(Vec<u8>, SessionId)>,
    by_expiry: BTreeMap<SessionId, Vec<i64>>,
}

impl Tables {
    fn read(database: &Database, bucket: &str) -> Result<Self, redb::Error> {
        let transaction = database.begin_read()?;
        let name = format!("{bucket}/sessions");
        let sessions = transaction.open_table(TableDefinition::<Id, &[u8]>::new(&name))?;
        let mut ids = BTreeSet::new();
        for entry in ReadableTable::iter(&sessions)? {
            ids.insert(SessionId::from_bytes(*entry?.0.value()));
        }
        let name = format!("{bucket}/by_user");
        let table = transaction.open_table(TableDefinition::<(&[u8], Id), ()>::new(&name))?;
        let mut by_user = BTreeSet::new();
        for entry in ReadableTable::iter(&table)? {
            let (key, _) = entry?;
            let (user, id) = key.value();
            by_user.insert((user.to_vec(), SessionId::from_bytes(*id)));
        }
        let name = format!("{bucket}/by_expiry");
        let table = transaction.open_table(TableDefinition::<(i64, Id), ()>::new(&name))?;
        let mut by_expiry = BTreeMap::<_, Vec<_>>::new();
        for entry in ReadableTable::iter(&table)? {
            let (key, _) = entry?;
            let (step, id) = key.value();
            let id = SessionId::from_bytes(*id);
            by_expiry.entry(id).or_default().push(step);
        }
        Ok(Self {
            ids,
            by_user,
            by_expiry,
        })
    }
}
