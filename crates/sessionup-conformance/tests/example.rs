//! The store that authors are told to begin with.

#[expect(dead_code, reason = "the example is a program too")]
#[path = "../../sessionup-core/examples/store.rs"]
mod store;

use sessionup_conformance::Fixture;

sessionup_conformance::suite!(async || Fixture::new(store::MapStore::default()));
