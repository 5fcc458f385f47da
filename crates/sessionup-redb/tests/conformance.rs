//! The contract of `Store`, clause by clause, on each way to open a store.

#![allow(clippy::expect_used)]

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use redb::Database;
use redb::backends::InMemoryBackend;
use sessionup_conformance::Fixture;
use sessionup_redb::{RedbStore, RedbStoreBuilder};

/// Nothing prunes behind the clauses' back, and a prune takes the time that it needs.
fn builder() -> RedbStoreBuilder {
    RedbStore::builder()
        .cleanup_interval(Duration::ZERO)
        .prune_time(Duration::MAX)
}

fn in_file(builder: RedbStoreBuilder) -> Fixture {
    let directory = tempfile::tempdir().expect("a directory");
    let store = builder.open(directory.path().join("sessions.redb"));
    Fixture::with_clone(store.expect("a store")).keeping(directory)
}

mod file {
    use super::{builder, in_file};

    sessionup_conformance::suite!(async || in_file(builder()));
}

mod file_with_touches_written_at_once {
    use super::{Duration, builder, in_file};

    sessionup_conformance::suite!(async || in_file(builder().touch_delay(Duration::from_nanos(1))));
}

mod file_with_one_reader {
    use super::{NonZeroUsize, builder, in_file};

    sessionup_conformance::suite!(async || in_file(builder().readers(NonZeroUsize::MIN)));
}

mod file_where_few_wait_for_the_index_of_users {
    use super::{builder, in_file};

    sessionup_conformance::suite!(async || in_file(builder().most_unlisted(1)));
}

mod borrowed_memory {
    use super::{Arc, Database, Fixture, InMemoryBackend, builder};

    sessionup_conformance::suite!(async || {
        let database = Database::builder().create_with_backend(InMemoryBackend::new());
        let store = builder().on(Arc::new(database.expect("a database")));
        Fixture::with_clone(store.expect("a store"))
    });
}

mod file_where_every_deletion_is_large {
    use super::{builder, in_file};

    sessionup_conformance::suite!(async || in_file(builder().deleted_at_once(0)));
}

mod file_where_most_deletions_are_large {
    use super::{builder, in_file};

    sessionup_conformance::suite!(async || {
        in_file(builder().deleted_at_once(1).most_unlisted(1))
    });
}
