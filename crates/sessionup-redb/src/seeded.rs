//! What seeded defects need besides their place in the code, see `sessionup_core::defects`.

use std::cell::RefCell;

use redb::{Database, Durability, WriteTransaction};
use sessionup_core::{Record, Session, SessionId, UserKey, is_seeded};

use crate::shared::Shared;
use crate::writer::operation::{Effects, Fate};
use crate::writer::tables::Tables;

thread_local! {
    /// Of the one writer of a store.
    static LATER: RefCell<Vec<Later>> = const { RefCell::new(Vec::new()) };
}

/// What a second transaction is to write.
enum Later {
    Insert(Box<Record>),
    List(UserKey, SessionId),
}

pub(crate) fn insert_later(record: &Record) {
    LATER.with_borrow_mut(|later| later.push(Later::Insert(Box::new(record.clone()))));
}

pub(crate) fn list_later(session: &Session) {
    LATER.with_borrow_mut(|later| {
        later.push(Later::List(session.user_key.clone(), session.id));
    });
}

/// Writes what was to be written later. If that fails, nobody learns of it.
pub(crate) fn catch_up(database: &Database, shared: &Shared) {
    let later = LATER.take();
    if later.is_empty() {
        return;
    }
    let write = || -> Result<(), redb::Error> {
        let transaction = shared.schema.begin_write(database)?;
        let mut effects = Effects::default();
        let mut draft = shared.unlisted.draft();
        let mut tombstones = shared.tombstones.draft();
        let mut tables = Tables::open(
            &transaction,
            &shared.schema,
            &shared.touches,
            &mut draft,
            &mut tombstones,
            &mut effects,
        )?;
        for later in later {
            match later {
                Later::Insert(record) => tables.insert(&record)?,
                Later::List(user, id) => tables.list(&user, id)?,
            }
        }
        drop(tables);
        draft.write(&transaction, &shared.schema, &tombstones)?;
        draft.show();
        transaction.commit()?;
        draft.keep();
        tombstones.keep();
        Ok(())
    };
    let _ = write();
}

pub(crate) fn without_sync(
    mut transaction: WriteTransaction,
    effects: &Effects,
) -> WriteTransaction {
    let ends = |(_, fate): &(SessionId, Fate)| *fate == Fate::Ended;
    if is_seeded!(RevokeWithoutSync) && effects.sessions.iter().all(ends) {
        transaction.set_quick_repair(false);
        transaction.set_two_phase_commit(false);
        let _ = transaction.set_durability(Durability::None);
    }
    transaction
}
