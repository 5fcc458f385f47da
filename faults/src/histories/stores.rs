//! The stores that histories are recorded of.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use sessionup_core::{DynStore, StoreExt};
use sessionup_redb::{RedbStore, RedbStoreBuilder};

use crate::bytes::Bytes;
use crate::campaign::{Rng, Violation};

/// Opens a store, empty, set up as is drawn.
pub type Factory = Box<dyn Fn(&mut Rng) -> Result<Opened, Violation> + Send + Sync>;

/// A store, and the disk beneath it if it may fail. A store whose disk fails must come back by
/// itself.
#[derive(Clone)]
pub struct Opened {
    /// The store.
    pub store: Arc<dyn DynStore>,
    /// What may fail.
    pub disk: Option<Bytes>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

impl Opened {
    /// Opens an embedded store on memory.
    ///
    /// # Errors
    ///
    /// If it does not open.
    pub fn embedded(rng: &mut Rng) -> Result<Self, Violation> {
        let store = open(Bytes::default(), rng)?;
        Ok(Self { store, disk: None })
    }

    /// Opens an embedded store on memory that may fail.
    ///
    /// # Errors
    ///
    /// If it does not open.
    pub fn failing(rng: &mut Rng) -> Result<Self, Violation> {
        let bytes = Bytes::default();
        let store = open(bytes.clone(), rng)?;
        Ok(Self {
            store,
            disk: Some(bytes),
        })
    }
}

fn open(bytes: Bytes, rng: &mut Rng) -> Result<Arc<dyn DynStore>, Violation> {
    // Often no cache at all, so that readers and writer meet on the disk.
    let cache_bytes = rng.choice([0, 0, 8_192, 1 << 20]).unwrap_or_default();
    let store = settings(rng).open_with(move || bytes.database(cache_bytes));
    Ok(store.map_err(Violation::new)?.into_dyn())
}

fn settings(rng: &mut Rng) -> RedbStoreBuilder {
    let delays = [
        Duration::ZERO,
        Duration::from_millis(1),
        Duration::from_secs(60),
    ];
    RedbStore::builder()
        .cleanup_interval(Duration::ZERO)
        .readers(NonZeroUsize::MIN.saturating_add(rng.usize(1..4)))
        .touch_delay(rng.choice(delays).unwrap_or_default())
        .most_unlisted(rng.usize(..4))
        .deleted_at_once(rng.usize(..4))
}
