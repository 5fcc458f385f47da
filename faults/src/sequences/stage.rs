//! All stores that must agree.

use std::sync::Arc;
use std::time::Duration;

use futures_executor::block_on;
use redb::Database;
use sessionup_core::{DynStore, MemoryStore, StoreExt};
use sessionup_redb::RedbStore;

use crate::bytes::Bytes;
use crate::campaign::{Rng, Tally, Violation, ensure};
use crate::disk::life::{DELETED_AT_ONCE, UNLISTED};
use crate::kept::kept;
use crate::model::Model;
use crate::sequences::lane::Lane;
use crate::sequences::step::{BUCKETS, Step};

/// The names of the buckets. One begins as the other does.
const NAMES: [&str; BUCKETS] = ["sessions", "sessions/sessions"];

/// How the stores are set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    touch_delay: Duration,
    cache_bytes: usize,
}

impl Setup {
    /// Draws a setup.
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let delays = [Duration::ZERO, Duration::from_millis(1), HOUR];
        Self {
            touch_delay: rng.choice(delays).unwrap_or_default(),
            cache_bytes: rng.choice([0, 16_384, 1 << 20]).unwrap_or_default(),
        }
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

/// Whether a file has the last uses of its sessions.
#[derive(Clone, Copy, Debug)]
pub(super) enum Uses {
    /// The stores were closed, or just opened.
    Written,
    /// They are written with what is written next.
    Delayed,
}

impl Uses {
    /// What a file can be asked for.
    fn known_of(self, records: &Model) -> Model {
        let records = records.records().cloned();
        Model::of(records.map(|mut record| {
            if let Self::Delayed = self {
                record.session.last_seen_at = record.session.created_at;
            }
            record
        }))
    }
}

/// All stores.
pub(super) struct Stage {
    setup: Setup,
    bytes: Bytes,
    database: Option<Arc<Database>>,
    memory: [Lane<MemoryStore>; BUCKETS],
    erased: [Lane<Arc<dyn DynStore>>; BUCKETS],
    embedded: Vec<Lane<RedbStore>>,
}

/// Does the same with a bucket of each store.
macro_rules! each {
    ($stage:ident, $bucket:expr, $lane:ident => $work:expr) => {{
        if let Some($lane) = $stage.memory.get_mut($bucket) {
            $work.map_err(|it| of("memory", &it))?;
        }
        if let Some($lane) = $stage.erased.get_mut($bucket) {
            $work.map_err(|it| of("erased", &it))?;
        }
        if let Some($lane) = $stage.embedded.get_mut($bucket) {
            $work.map_err(|it| of("embedded", &it))?;
        }
    }};
}

fn of(store: &str, violation: &Violation) -> Violation {
    Violation(format!("{store}: {violation}"))
}

impl Stage {
    /// Opens all stores, empty.
    ///
    /// # Errors
    ///
    /// If one does not open.
    pub(super) fn open(setup: Setup) -> Result<Self, Violation> {
        let mut stage = Self {
            setup,
            bytes: Bytes::default(),
            database: None,
            memory: [(); BUCKETS].map(|()| Lane::new(MemoryStore::new())),
            erased: [(); BUCKETS].map(|()| Lane::new(MemoryStore::new().into_dyn())),
            embedded: Vec::new(),
        };
        let stores = stage.open_embedded()?;
        stage.embedded.extend(stores.into_iter().map(Lane::new));
        Ok(stage)
    }

    /// Goes through steps.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub(super) fn play(&mut self, steps: &[Step], tally: &mut Tally) -> Result<(), Violation> {
        for step in steps {
            self.step(step, tally)?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step, tally: &mut Tally) -> Result<(), Violation> {
        match step {
            Step::Ask(bucket, op) => {
                tally.count("operations");
                each!(self, *bucket, lane => block_on(lane.ask(op)));
            }
            Step::Together(bucket, ops) => {
                tally.add("operations", ops.len() as u64);
                each!(self, *bucket, lane => block_on(lane.ask_together(ops)));
            }
            Step::Abandon(bucket, op, now) => {
                tally.count("abandoned");
                each!(self, *bucket, lane => block_on(lane.abandon(op, *now)));
            }
            Step::Prune(bucket, at_most, now) => {
                tally.count("prunes");
                each!(self, *bucket, lane => block_on(lane.prune(*at_most, *now)));
            }
            Step::Look(bucket, now) => each!(self, *bucket, lane => block_on(lane.look(*now))),
            Step::Restart => {
                tally.count("restarts");
                self.restart()?;
            }
            Step::Clear => {
                for bucket in 0..BUCKETS {
                    each!(self, bucket, lane => block_on(lane.clear()));
                }
            }
        }
        Ok(())
    }

    /// Holds the tables of the embedded stores, read past them, against what they must hold.
    ///
    /// # Errors
    ///
    /// What is not as it must be.
    pub(super) fn check_kept(&self, uses: Uses) -> Result<(), Violation> {
        let Some(database) = &self.database else {
            return Ok(());
        };
        for (name, lane) in NAMES.iter().zip(&self.embedded) {
            let found = kept(database, name).map_err(|it| of("embedded", &it))?;
            let found = uses.known_of(&found.unwrap_or_default());
            let worlds = lane.worlds();
            let is_expected = worlds.iter().any(|world| uses.known_of(world) == found);
            ensure(is_expected, || {
                format!("embedded: {name} keeps {found:?} instead of one of {worlds:?}")
            })?;
        }
        Ok(())
    }

    fn restart(&mut self) -> Result<(), Violation> {
        for lane in &self.embedded {
            block_on(lane.store.close());
        }
        self.check_kept(Uses::Written)?;
        // The last handle: this closes the database.
        drop(self.database.take());
        let stores = self.open_embedded()?;
        for (lane, store) in self.embedded.iter_mut().zip(stores) {
            lane.store = store;
            block_on(lane.look_behind()).map_err(|it| of("embedded, restarted", &it))?;
        }
        self.check_kept(Uses::Written)
    }

    fn open_embedded(&mut self) -> Result<Vec<RedbStore>, Violation> {
        let Setup {
            touch_delay,
            cache_bytes,
        } = self.setup;
        let database = self.bytes.database(cache_bytes).map_err(Violation::new)?;
        let database = Arc::new(database);
        self.database = Some(Arc::clone(&database));
        let open = |name: &&str| {
            let builder = RedbStore::builder()
                .bucket(*name)
                .cleanup_interval(Duration::ZERO)
                .readers(std::num::NonZeroUsize::MIN)
                .touch_delay(touch_delay)
                .most_unlisted(UNLISTED)
                .deleted_at_once(DELETED_AT_ONCE);
            builder.on(Arc::clone(&database)).map_err(Violation::new)
        };
        NAMES.iter().map(open).collect()
    }
}
