//! Recording a history.

use std::thread;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use sessionup_core::{DynStore, StoreError, StoreExt, Timestamp};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::campaign::{Rng, Tally, Violation};
use crate::histories::scene::{Scene, Time};
use crate::histories::stores::Opened;
use crate::linear::{self, Order};
use crate::model::{Model, Op};
use crate::perform::{Failed, perform};

type Call = linear::Call<Model>;

/// How long a store may take to come back.
const PATIENCE: Duration = Duration::from_secs(20);

/// Has clients ask a store at once, and looks at everything when all are done.
///
/// # Errors
///
/// If the store does not come back.
pub(super) fn record(
    opened: &Opened,
    scene: &Scene,
    time: &Time,
    rng: &mut Rng,
    tally: &mut Tally,
) -> Result<Vec<Call>, Violation> {
    let order = Order::default();
    if let Some(disk) = &opened.disk {
        disk.fail_after(rng.u64(0..300));
    }
    let clients = rng.usize(2..=6);
    let ops = rng.usize(3..=8);
    let all = thread::scope(|scope| {
        let clients: Vec<_> = (1..=clients)
            .map(|client| {
                let mut rng = rng.fork();
                let (order, store) = (&order, &opened.store);
                scope.spawn(move || {
                    let mut calls = Vec::new();
                    for _ in 0..ops {
                        let op = scene.op(time, &mut rng);
                        ask(store, client, op, order, &mut calls);
                    }
                    calls
                })
            })
            .collect();
        clients
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect::<Vec<_>>()
    });
    let mut calls = Vec::new();
    for client in all {
        calls.extend(client.map_err(|_| Violation::new("a client panicked"))?);
    }
    if let Some(disk) = &opened.disk
        && !disk.heal()
    {
        tally.count("faults");
    }
    let unknown = calls.iter().filter(|call| call.returned.is_none());
    tally.add("unknown", unknown.count() as u64);
    look(&opened.store, scene, time, &order, &mut calls)?;
    Ok(calls)
}

/// Has an operation carried out, and writes down what there is to know of it.
fn ask(
    store: &Arc<dyn DynStore>,
    client: usize,
    op: Op,
    order: &Order,
    calls: &mut Vec<Call>,
) -> bool {
    let called = order.moment();
    let answer = block_on(perform(store, &op));
    let returned = order.moment();
    let (answer, returned) = match answer {
        Ok(answer) => (Some(answer), Some(returned)),
        Err(Failed::Refused(_)) => return false,
        Err(Failed::Unknown(_)) => (None, None),
    };
    // A login that may have happened is ended again.
    let ended = match &op {
        Op::Create { record, .. } if returned.is_none() => Some(Call {
            client,
            op: Op::Delete {
                id: record.session.id,
                owner: None,
            },
            answer: None,
            // The store may have done it before it told of the failure.
            called,
            returned: None,
            after: Some(called),
        }),
        _ => None,
    };
    calls.push(Call {
        client,
        op,
        answer,
        called,
        returned,
        after: None,
    });
    calls.extend(ended);
    true
}

/// Reads everything, by nobody else disturbed. A store that failed may take a while.
fn look(
    store: &Arc<dyn DynStore>,
    scene: &Scene,
    time: &Time,
    order: &Order,
    calls: &mut Vec<Call>,
) -> Result<(), Violation> {
    let now = Timestamp::from_millis(time.load(Ordering::SeqCst));
    let lists = scene.users().map(|user| Op::List {
        user: scene.user(user),
        now,
    });
    let fetches = scene.ids().map(|id| Op::Fetch { id, now });
    for op in lists.chain(fetches) {
        patiently(|| ask(store, 0, op.clone(), order, calls).then_some(()))
            .ok_or_else(|| Violation(format!("{op:?}: the store does not come back")))?;
    }
    Ok(())
}

/// Deletes what has expired.
///
/// # Errors
///
/// If the store does not come back.
pub(super) fn forget(opened: &Opened, now: i64) -> Result<(), Violation> {
    let prune = || {
        let now = Timestamp::from_millis(now);
        let pruned = opened.store.prune_all(now, NonZeroUsize::MAX);
        match block_on(pruned) {
            Err(StoreError::Unavailable { .. } | StoreError::OutcomeUnknown { .. }) => None,
            outcome => Some(outcome),
        }
    };
    let pruned = patiently(prune).ok_or_else(|| Violation::new("the store does not come back"))?;
    pruned.map(drop).map_err(Violation::new)
}

fn patiently<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        let outcome = attempt();
        if outcome.is_some() || begun.elapsed() > PATIENCE {
            return outcome;
        }
        thread::yield_now();
    }
}
