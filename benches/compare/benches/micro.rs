//! What single steps of a request cost, in one process: `cargo bench -p compare`.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, UNIX_EPOCH};

use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use sessionup_core::cookie;
use sessionup_core::{
    CreateOptions, MemoryStore, OsRandom, Record, Session, SessionId, Store, Timestamp, Token,
    UserKey,
};
use sessionup_redb::RedbStore;
use subject::{Entry, Error, Population};

/// How many sessions there are.
const SESSIONS: u64 = 100_000;

fn record(entry: &Entry) -> Result<Record, Error> {
    let id = SessionId::from_bytes(Entry::ordered_id(entry.number));
    let user = UserKey::new(&*entry.user)?;
    let mut session = Session::new(id, user, entry.created_at.into(), entry.expires_at.into());
    session.client.ip = Some(entry.ip.into());
    session.client.agent.os = entry.os.to_owned();
    session.client.agent.browser = entry.browser.to_owned();
    session.meta.insert(entry.meta.0, entry.meta.1)?;
    let token = Token::renewed(id, &OsRandom::default())?;
    Ok(Record::new(session, token.credential().secret_hash))
}

async fn fill(store: &(impl Store + Clone), records: &[Arc<Record>]) -> Result<(), Error> {
    let mut tasks = tokio::task::JoinSet::new();
    for record in records {
        let (store, record) = (store.clone(), Record::clone(record));
        tasks.spawn(async move {
            let begin = record.session.created_at;
            store.create(record, CreateOptions::default(), begin).await
        });
        if tasks.len() >= 2_000 {
            tasks.join_next().await.transpose()?.transpose()?;
        }
    }
    while let Some(created) = tasks.join_next().await {
        created??;
    }
    Ok(())
}

/// Ten thousand sessions in use out of many: a map behind a lock, and our stores.
fn fetch(criterion: &mut Criterion) -> Result<(), Error> {
    let population = Population::new(SESSIONS, UNIX_EPOCH + Duration::from_secs(2_000_000_000));
    let now = Timestamp::from(UNIX_EPOCH + Duration::from_secs(2_000_000_000));
    let records = (0..SESSIONS).map(|number| record(&population.entry(number)).map(Arc::new));
    let records: Vec<Arc<Record>> = records.collect::<Result<_, _>>()?;
    let map: HashMap<SessionId, Arc<Record>> = records
        .iter()
        .map(|record| (record.session.id, Arc::clone(record)))
        .collect();
    let map = RwLock::new(map);
    let directory = tempfile::tempdir()?;
    let redb = RedbStore::builder().cleanup_interval(Duration::ZERO);
    let redb = redb.open(directory.path().join("sessions.redb"))?;
    let memory = MemoryStore::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    runtime.block_on(async {
        fill(&redb, &records).await?;
        fill(&memory, &records).await
    })?;
    let mut random = fastrand::Rng::with_seed(1);
    let ids = (0..1 << 16).map(|_| population.in_use(&mut random));
    let ids: Vec<SessionId> = ids
        .map(|number| SessionId::from_bytes(Entry::ordered_id(number)))
        .collect();
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
        bencher.iter(|| Token::parse(black_box(token.as_bytes())).map(|token| token.credential()));
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
