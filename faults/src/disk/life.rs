//! A store over a disk, from its opening to its end.

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::time::Duration;

use sessionup_redb::{OpenError, RedbStore, RedbStoreBuilder};

use super::Disk;
use super::image::Image;
use super::together::shares_a_transaction;
use crate::campaign::{Rng, Violation, one_of};
use crate::kept::kept;
use crate::model::{Model, Op};
use crate::script::Script;

/// Opens a store that opens this disk again when it fails. Uses of sessions are written with what is
/// written next, or at once.
///
/// # Errors
///
/// As the store.
pub fn open(disk: &Disk, writes_uses_at_once: bool) -> Result<RedbStore, OpenError> {
    let disk = disk.clone();
    builder(writes_uses_at_once).open_with(move || disk.database())
}

/// Most sessions that wait for the index of users: few, so that some always do and some are entered.
pub const UNLISTED: usize = 2;

/// Deletions of more sessions than this leave their records for later.
pub const DELETED_AT_ONCE: usize = 1;

/// Makes a builder of stores that do nothing by themselves, and read with one thread.
#[must_use]
pub fn builder(writes_uses_at_once: bool) -> RedbStoreBuilder {
    let delay = match writes_uses_at_once {
        true => Duration::ZERO,
        false => Duration::from_secs(3_600),
    };
    RedbStore::builder()
        .cleanup_interval(Duration::ZERO)
        .readers(NonZeroUsize::MIN)
        .touch_delay(delay)
        .most_unlisted(UNLISTED)
        .deleted_at_once(DELETED_AT_ONCE)
}

/// What is done in a life, in order.
#[derive(Clone, Debug)]
pub enum Step {
    /// These operations, several of them in one transaction.
    Together(Vec<Op>),
    /// The store is closed and opened again.
    Reopen,
}

/// Draws what is done in a life: reads, uses, prunes and deletions of many sessions alone, others often at once.
pub fn steps(script: &mut Script, count: usize, rng: &mut Rng) -> Vec<Step> {
    let mut steps = Vec::new();
    while steps.len() < count {
        if rng.u8(..12) == 0 {
            steps.push(Step::Reopen);
            continue;
        }
        let at_most = one_of(rng, [1, 1, 2, 3, 6]);
        let mut ops = Vec::new();
        while ops.len() < at_most {
            let op = script.next(rng);
            if shares_a_transaction(&op) {
                ops.push(op);
                continue;
            }
            if !ops.is_empty() {
                steps.push(Step::Together(std::mem::take(&mut ops)));
            }
            steps.push(Step::Together(vec![op]));
        }
        steps.push(Step::Together(ops));
    }
    steps
}

/// Returns the file of a database in which there is nothing.
///
/// A store makes it beside its place and puts it there when it is whole, so that no crash comes in
/// between.
///
/// # Errors
///
/// As redb.
pub fn empty() -> Result<Image, Violation> {
    static EMPTY: OnceLock<Image> = OnceLock::new();
    if let Some(image) = EMPTY.get() {
        return Ok(image.clone());
    }
    let disk = Disk::default();
    let made = disk.database().map_err(Violation::new)?;
    drop(made);
    Ok(EMPTY.get_or_init(|| disk.image()).clone())
}

/// Reads what lies in a file, which is left as it is; `None` if there are no tables.
///
/// # Errors
///
/// If it does not open, or is not whole.
pub fn read(image: &Image) -> Result<Option<Model>, Violation> {
    let disk = Disk::with(image.clone());
    let database = disk
        .database()
        .map_err(|error| Violation(format!("file does not open: {error:?}")))?;
    let kept = kept(&database, "sessions");
    disk.kill(database);
    kept
}
