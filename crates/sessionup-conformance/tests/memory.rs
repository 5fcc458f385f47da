//! The store that forgets keeps the contract, directly and as a shared object.

use sessionup_conformance::Fixture;
use sessionup_core::{MemoryStore, StoreExt};

mod plain {
    use super::*;
    sessionup_conformance::suite!(async || Fixture::with_clone(MemoryStore::new()));
}

mod shared {
    use super::*;
    sessionup_conformance::suite!(async || Fixture::with_clone(MemoryStore::new().into_dyn()));
}
