//! What single steps of a request cost, in one process: `cargo bench -p compare`.

#[path = "../src/sessions.rs"]
mod sessions;

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, UNIX_EPOCH};

use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use sessions::{fill, id, record};
use sessionup_core::cookie;
use sessionup_core::{Kind, MemoryStore, OsRandom, Record, SessionId, Store, Timestamp, Token};
use sessionup_redb::RedbStore;
use subject::{Entry, Error, Population};

/// How many sessions there are.
const SESSIONS: u64 = 100_000;

/// Ten thousand sessions in use out of many: a map behind a lock, and our stores.
fn fetch(criterion: &mut Criterion) -> Result<(), Error> {
    let population = Population::new(SESSIONS, UNIX_EPOCH + Duration::from_secs(2_000_000_000));
    let now = Timestamp::from(UNIX_EPOCH + Duration::from_secs(2_000_000_000));
    let entries: Vec<Entry> = (0..SESSIONS)
        .map(|number| population.entry(number))
        .collect();
    let records = entries
        .iter()
        .map(|entry| Ok((id(entry.number), Arc::new(record(entry)?))));
    let map: HashMap<SessionId, Arc<Record>> = records.collect::<Result<_, Error>>()?;
    let map = RwLock::new(map);
    let directory = tempfile::tempdir()?;
    let redb = RedbStore::builder().cleanup_interval(Duration::ZERO);
    let redb = redb.open(directory.path().join("sessions.redb"))?;
    let memory = MemoryStore::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    runtime.block_on(async {
        fill(redb.clone(), entries.clone()).await?;
        fill(memory.clone(), entries).await
    })?;
    let mut random = fastrand::Rng::with_seed(1);
    let ids = (0..1 << 16).map(|_| population.in_use(&mut random));
    let ids: Vec<SessionId> = ids.map(id).collect();
    for id in &ids {
        runtime
            .block_on(redb.fetch(*id, now))?
            .ok_or("a session is missing")?;
    }

    let mut group = criterion.benchmark_group("fetch");
    let mut next = ids.iter().cycle();
    group.bench_function("RwLock<HashMap>", |bencher| {
        bencher.iter(|| {
            let map = map.read().unwrap_or_else(PoisonError::into_inner);
            next.next().and_then(|id| map.get(id).cloned())
        });
    });
    group.bench_function("sessionup-redb", |bencher| {
        bencher.iter(|| {
            next.next()
                .and_then(|id| redb.fetch(*id, now).now_or_never())
        });
    });
    group.bench_function("sessionup MemoryStore", |bencher| {
        bencher.iter(|| {
            next.next()
                .and_then(|id| memory.fetch(*id, now).now_or_never())
        });
    });
    group.finish();
    Ok(())
}

/// From the bytes of a request to what a store is asked for.
fn request(criterion: &mut Criterion) -> Result<(), Error> {
    let token = Token::generate(Timestamp::from_millis(1), &OsRandom::default())?.expose();
    let others =
        "theme=dark; _ga=GA1.1.1234567890.1700000000; csrf=d41d8cd98f00b204e9800998ecf8427e";
    let field = format!("{others}; __Host-sessionup={}", *token);
    let mut group = criterion.benchmark_group("request");
    group.bench_function("find our cookie of four", |bencher| {
        bencher.iter(|| {
            let found = cookie::find([black_box(field.as_bytes())], "__Host-sessionup");
            matches!(found, cookie::Found::One(_))
        });
    });
    group.bench_function("token to id and hash", |bencher| {
        bencher.iter(|| {
            Token::parse(black_box(token.as_bytes())).map(|token| token.credential(&Kind::USER))
        });
    });
    group.finish();
    Ok(())
}

#[expect(clippy::expect_used, reason = "there is nobody to tell")]
fn all(criterion: &mut Criterion) {
    fetch(criterion).expect("the stores can be filled and asked");
    request(criterion).expect("there is randomness");
}

criterion_group! {
    name = micro;
    config = Criterion::default().sample_size(50);
    targets = all
}
criterion_main!(micro);
