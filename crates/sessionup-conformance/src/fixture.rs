//! A store under test.

use std::any::Any;
use std::sync::{Arc, Mutex};

use sessionup_core::{DynStore, Store, StoreExt};

/// An empty store under test, and what it needs for as long as it lives.
///
/// Clones are handles on the same store.
#[derive(Clone, Debug)]
pub struct Fixture {
    // Above the guard, because fields are dropped in this order.
    store: Arc<dyn DynStore>,
    // Nobody locks it. It makes the fixture `Sync` for a guard that is not.
    _guard: Option<Arc<Mutex<dyn Any + Send>>>,
}

impl Fixture {
    /// Takes a store that holds no records.
    #[must_use]
    pub fn new(store: impl Store) -> Self {
        Self {
            store: store.into_dyn(),
            _guard: None,
        }
    }

    /// Drops `guard` after the store: a temporary directory, a schema that is removed, and so on.
    #[must_use]
    pub fn keeping(self, guard: impl Any + Send) -> Self {
        Self {
            store: self.store,
            _guard: Some(Arc::new(Mutex::new(guard))),
        }
    }

    /// Returns the store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn DynStore> {
        &self.store
    }
}
