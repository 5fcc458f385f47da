//! A store under test.

use std::any::Any;
use std::ptr;
use std::sync::{Arc, Mutex};

use sessionup_core::{DynStore, Store, StoreExt};

/// An empty store under test, and what it needs for as long as it lives.
///
/// Clones are handles on the same store.
#[derive(Clone, Debug)]
pub struct Fixture {
    // Above the guard, because fields are dropped in this order.
    store: Arc<dyn DynStore>,
    clone: Arc<dyn DynStore>,
    has_shared_watermark: bool,
    // Nobody locks it. It makes the fixture `Sync` for a guard that is not.
    _guard: Option<Arc<Mutex<dyn Any + Send>>>,
}

impl Fixture {
    /// Takes a store that holds no records.
    #[must_use]
    pub fn new(store: impl Store) -> Self {
        // A shared object has no other watermark, so this is asked of the store itself.
        let has_shared_watermark = ptr::eq(store.watermark(), store.shared().watermark());
        let store = store.into_dyn();
        Self {
            clone: Arc::clone(&store),
            store,
            has_shared_watermark,
            _guard: None,
        }
    }

    /// Takes a store that holds no records and implements [`Clone`].
    ///
    /// The clauses of the family `clones` test it together with a clone. With [`Fixture::new`] they
    /// test two [`Arc`]s of one store.
    #[must_use]
    pub fn with_clone(store: impl Store + Clone) -> Self {
        let clone = store.clone().into_dyn();
        Self {
            clone,
            ..Self::new(store)
        }
    }

    /// Drops `guard` after the store: a temporary directory, a schema that is removed, and so on.
    #[must_use]
    pub fn keeping(self, guard: impl Any + Send) -> Self {
        Self {
            _guard: Some(Arc::new(Mutex::new(guard))),
            ..self
        }
    }

    /// Returns the store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn DynStore> {
        &self.store
    }

    /// Returns a fixture that asks the clone.
    pub(crate) fn of_clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.clone),
            ..self.clone()
        }
    }

    /// Says whether [`Store::watermark`] is that of [`Store::shared`].
    pub(crate) const fn has_shared_watermark(&self) -> bool {
        self.has_shared_watermark
    }
}
