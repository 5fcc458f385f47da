//! What must come of any bytes in the place of a record. Used by a test here and by a fuzz target.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, TableDefinition};
use sessionup_core::{
    Change, CreateOptions, MetaChange, Record, SessionId, Store, StoreError, Timestamp,
};
use sessionup_redb::RedbStore;
use tokio::runtime::{Builder, Runtime};
use twox_hash::XxHash3_64;

const SESSIONS: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("sessions/sessions");
/// Version, length of the head, check value.
const PREFIX_BYTES: usize = 11;
const NOW: Timestamp = Timestamp::from_millis(0);

/// A store in memory under whose hands records are exchanged.
pub struct Bench {
    runtime: Runtime,
    database: Arc<Database>,
    store: RedbStore,
    /// Each input lies under an id of its own, so that nothing the store remembers is in the way.
    last: AtomicU64,
}

impl Bench {
    pub fn new() -> Self {
        let database = Database::builder().create_with_backend(InMemoryBackend::new());
        let database = Arc::new(database.expect("a database"));
        let store = RedbStore::builder().cleanup_interval(Duration::ZERO);
        Self {
            runtime: Builder::new_current_thread().build().expect("a runtime"),
            store: store.on(Arc::clone(&database)).expect("a store"),
            database,
            last: AtomicU64::new(0),
        }
    }

    /// Puts the input where a record was. Its first byte says whether the check value is made to
    /// fit: damage by chance never gets further than the check, an attacker's may.
    pub fn hold(&self, input: &[u8]) {
        let Some((mode, bytes)) = input.split_first() else {
            return;
        };
        let last = self.last.fetch_add(1, Ordering::SeqCst);
        let id = id(last + 1);
        let mut bytes = bytes.to_vec();
        if mode % 2 == 1 {
            fit_check_value(&mut bytes, id);
        }
        self.exchange(self::id(last), id, &bytes);
        self.runtime
            .block_on(self.ask(id, check_value_fits(&bytes, id)));
    }

    async fn ask(&self, id: SessionId, is_possible: bool) {
        let fetched = self.store.fetch(id, NOW).await;
        let change = MetaChange::new().set("fuzz", 1).expect("a number");
        let updated = self.store.update(id, Change::meta(change), NOW).await;
        match fetched {
            Err(error) => {
                expect_damage(&error, id);
                expect_damage(&updated.expect_err("damage is no record"), id);
            }
            Ok(None) => assert!(is_possible && updated.expect("it has expired").is_none()),
            Ok(Some(record)) => {
                assert!(is_possible, "the check value does not fit");
                assert_eq!(record.session.id, id);
                assert!(record.session.is_live(NOW));
                self.expect_kept(&record, updated).await;
            }
        }
    }

    /// What was read can be written, and what was written is read.
    async fn expect_kept(&self, before: &Record, updated: Result<Option<Arc<Record>>, StoreError>) {
        let mut expected = before.clone();
        let merged = expected.session.meta.insert("fuzz", 1);
        match updated {
            Ok(updated) => assert_eq!(updated.as_deref(), Some(&expected)),
            // Nothing but its bounds keeps meta from being changed.
            Err(StoreError::InvalidMeta(error)) => {
                assert_eq!(merged, Err(error));
                expected = before.clone();
            }
            Err(error) => panic!("{error:?}"),
        }
        let after = self.store.fetch(before.session.id, NOW).await;
        assert_eq!(
            after.expect("written by ourselves").as_deref(),
            Some(&expected)
        );
    }

    fn exchange(&self, old: SessionId, new: SessionId, bytes: &[u8]) {
        let transaction = self.database.begin_write().expect("a transaction");
        {
            let mut sessions = transaction.open_table(SESSIONS).expect("the table");
            sessions.remove(old.as_bytes()).expect("removed");
            sessions.insert(new.as_bytes(), bytes).expect("inserted");
        }
        transaction.commit().expect("committed");
    }

    /// What the store writes for a record, in the form of an input.
    #[allow(dead_code, reason = "the fuzz target is given its inputs")]
    pub fn written(&self, mut record: Record) -> Vec<u8> {
        let id = id(u64::MAX);
        record.session.id = id;
        let created = self.store.create(record, CreateOptions::default(), NOW);
        self.runtime.block_on(created).expect("created");
        let transaction = self.database.begin_read().expect("a transaction");
        let sessions = transaction.open_table(SESSIONS).expect("the table");
        let bytes = sessions.get(id.as_bytes()).expect("read").expect("there");
        let input = [&[1], bytes.value()].concat();
        drop(bytes);
        let deleted = self.store.delete(id, None);
        assert!(self.runtime.block_on(deleted).expect("deleted"));
        input
    }
}

fn expect_damage(error: &StoreError, id: SessionId) {
    assert!(
        matches!(error, StoreError::CorruptRecord { id: named, .. } if *named == id),
        "{error:?}"
    );
}

fn id(number: u64) -> SessionId {
    SessionId::from_bytes(u128::from(number).to_be_bytes())
}

/// XXH3-64 of head and tail, seeded with that of id, version and length, as docs/format.md says.
fn check_value(bytes: &[u8], id: SessionId) -> Option<[u8; 8]> {
    let seeded = [id.as_bytes(), bytes.get(..3)?].concat();
    let seed = XxHash3_64::oneshot(&seeded);
    let body = bytes.get(PREFIX_BYTES..)?;
    Some(XxHash3_64::oneshot_with_seed(seed, body).to_le_bytes())
}

fn fit_check_value(bytes: &mut [u8], id: SessionId) {
    if let Some(value) = check_value(bytes, id) {
        bytes[3..PREFIX_BYTES].copy_from_slice(&value);
    }
}

fn check_value_fits(bytes: &[u8], id: SessionId) -> bool {
    check_value(bytes, id).is_some_and(|value| bytes[3..PREFIX_BYTES] == value)
}
