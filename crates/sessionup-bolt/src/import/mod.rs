//! From a Bolt file into a store.

mod judge;
mod report;

use std::time::Duration;

use futures_util::future::join_all;
use sessionup_core::{CreateOptions, SessionId, Store, StoreError, Timestamp};

pub use self::judge::Refused;
use self::judge::{Rules, Taken, judge};
pub use self::report::{ImportError, ImportFailure, ImportReport, ImportedRow, Outcome};
use crate::{BoltError, Row};

/// Takes sessions of Go's sessionup into a store.
///
/// A cookie that Go issued logs its user in afterwards, with a manager that is built with
/// [`accept_imported_tokens`](sessionup_core::ManagerBuilder::accept_imported_tokens) and has the
/// same cookie name. The store is given an id and a hash that are derived from the token, never the
/// token.
///
/// - User key, times, address, names of system and browser, and meta are taken as they are. What
///   Go does not know is set as for a session that was just made: last seen when it was created, or
///   now if there is an [idle timeout](Import::idle_timeout).
/// - What cannot be taken is left out one by one, and told of with its reason.
/// - **Whoever can write the Bolt file can log in as anybody afterwards**: importing it grants the
///   sessions in it.
/// - It may be stopped at any moment and run again: what is in the store already is left alone, also
///   if it was used or changed since. The exception is a session that **ended** since: nothing tells
///   it from one that was not imported yet, so a later run takes it again. Import before the
///   application goes into service, not after.
///
/// ```
/// use sessionup_bolt::{BoltFile, GoSession, GoToken, Import, Writer};
/// use sessionup_core::{MemoryStore, Timestamp};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("my.db");
/// # let now = Timestamp::from_millis(1_795_286_345_981);
/// # let mut session = GoSession::new(GoToken::new(b"r4nd0mr4nd0mr4nd0mr4nd0mr4nd0mr4nd0mr4nd".to_vec()));
/// # session.user_key = "ann".into();
/// # session.created_at = now;
/// # session.expires_at = now.saturating_add(std::time::Duration::from_secs(60));
/// # let mut writer = Writer::new("sessions")?;
/// # writer.add(&session)?;
/// # writer.write(&path)?;
/// let store = MemoryStore::new();
/// let file = BoltFile::open(&path)?;
/// let report = Import::new().run_blocking(&store, file.sessions("sessions")?, now, |_| {})?;
/// assert_eq!(report.imported, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "an import does nothing until it is run"]
pub struct Import {
    rules: Rules,
    include_expired: bool,
}

impl Default for Import {
    fn default() -> Self {
        Self::new()
    }
}

impl Import {
    /// The longest lifetime if no other is set: the longest that browsers keep a cookie.
    pub const MAX_LIFETIME: Duration = Duration::from_secs(400 * 24 * 60 * 60);

    /// How many sessions are given to the store at once, for one commit to take many.
    const BATCH: usize = 64;

    /// Makes an import that takes live sessions as they are.
    pub const fn new() -> Self {
        Self {
            rules: Rules {
                max_lifetime: Self::MAX_LIFETIME,
                idle_timeout: None,
                persistent: false,
            },
            include_expired: false,
        }
    }

    /// Ends sessions at the latest so long after they were created; 400 days if it is not said.
    /// Best what the manager's own sessions have. A session whose end is moved is counted as cut.
    pub const fn max_lifetime(mut self, longest: Duration) -> Self {
        self.rules.max_lifetime = longest;
        self
    }

    /// Gives sessions an idle timeout, from now on. None if it is not said: imported sessions would
    /// otherwise have no such limit, whatever the manager gives its own.
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.rules.idle_timeout = Some(timeout);
        self
    }

    /// Says whether browsers were told to keep the cookies when they are closed, as with Go's
    /// `ExpiresIn`. It matters once a token is renewed.
    pub const fn persistent(mut self, persistent: bool) -> Self {
        self.rules.persistent = persistent;
        self
    }

    /// Takes sessions that have ended too. They log nobody in and are pruned like any other.
    pub const fn include_expired(mut self, include: bool) -> Self {
        self.include_expired = include;
        self
    }

    /// Imports rows; `told` is called with each and what came of it.
    ///
    /// Reading the file blocks for as long as a disk takes. In an application that serves requests
    /// meanwhile, use a thread and [`run_blocking`](Import::run_blocking).
    ///
    /// # Errors
    ///
    /// [`ImportError`] if the file is damaged or the store fails, with what came of the rows before.
    ///
    /// # Cancel safety
    ///
    /// What was imported stays. Run it again.
    pub async fn run<S: Store>(
        &self,
        store: &S,
        rows: impl IntoIterator<Item = Result<Row, BoltError>, IntoIter: Send> + Send,
        now: Timestamp,
        told: impl FnMut(&ImportedRow) + Send,
    ) -> Result<ImportReport, ImportError> {
        let mut run = Run {
            store,
            now,
            told,
            report: ImportReport::default(),
        };
        match run.all(self, rows.into_iter()).await {
            Ok(()) => Ok(run.report),
            Err(source) => Err(ImportError {
                report: run.report,
                source,
            }),
        }
    }

    /// Imports rows on this thread, as [`Import::run`]. Not to be called inside an asynchronous
    /// runtime.
    ///
    /// # Errors
    ///
    /// As [`Import::run`].
    ///
    /// # Panics
    ///
    /// If it is called inside an executor of `futures`.
    pub fn run_blocking<S: Store>(
        &self,
        store: &S,
        rows: impl IntoIterator<Item = Result<Row, BoltError>, IntoIter: Send> + Send,
        now: Timestamp,
        told: impl FnMut(&ImportedRow) + Send,
    ) -> Result<ImportReport, ImportError> {
        futures_executor::block_on(self.run(store, rows, now, told))
    }

    fn judge(&self, row: Row, now: Timestamp) -> Result<Taken, Outcome> {
        let refused = |why| Outcome::Refused(why);
        let go = row.session.map_err(|bad| refused(bad.into()))?;
        let taken = judge(&go, self.rules, now).map_err(refused)?;
        if self.include_expired || taken.record.session.is_live(now) {
            Ok(taken)
        } else {
            Err(Outcome::Expired)
        }
    }
}

/// An import under way.
struct Run<'s, S, F> {
    store: &'s S,
    now: Timestamp,
    told: F,
    report: ImportReport,
}

/// A session that waits for the store.
struct Waiting {
    number: u64,
    id: Option<SessionId>,
    taken: Taken,
}

impl<S: Store, F: FnMut(&ImportedRow) + Send> Run<'_, S, F> {
    async fn all(
        &mut self,
        import: &Import,
        rows: impl Iterator<Item = Result<Row, BoltError>> + Send,
    ) -> Result<(), ImportFailure> {
        let mut batch = Vec::new();
        let mut damage = None;
        for row in rows {
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    damage = Some(error);
                    break;
                }
            };
            let (number, id) = (row.number, row.id);
            match import.judge(row, self.now) {
                Ok(taken) => batch.push(Waiting { number, id, taken }),
                Err(outcome) => self.tell(number, id, outcome),
            }
            if batch.len() == Import::BATCH {
                self.create(std::mem::take(&mut batch)).await?;
            }
        }
        // Also those before the damage.
        self.create(batch).await?;
        damage.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Creates the sessions of a batch. If some fail, the others are counted all the same.
    async fn create(&mut self, batch: Vec<Waiting>) -> Result<(), StoreError> {
        let (store, now) = (self.store, self.now);
        let create = async |waiting: &Waiting| {
            let record = waiting.taken.record.clone();
            store.create(record, CreateOptions::default(), now).await
        };
        let created = join_all(batch.iter().map(create)).await;
        let mut failed = None;
        for (waiting, mut outcome) in batch.iter().zip(created) {
            // Too many at once for this store: by itself there is room.
            if matches!(outcome, Err(StoreError::Overloaded)) {
                outcome = create(waiting).await;
            }
            let cut = waiting.taken.cut;
            match outcome {
                Ok(_) => self.tell(waiting.number, waiting.id, Outcome::Imported { cut }),
                Err(StoreError::DuplicateId) => {
                    self.tell(waiting.number, waiting.id, Outcome::AlreadyThere);
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn tell(&mut self, number: u64, id: Option<SessionId>, outcome: Outcome) {
        self.report.count(&outcome);
        (self.told)(&ImportedRow {
            number,
            id,
            outcome,
        });
    }
}
