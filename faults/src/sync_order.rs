//! What the disk had to do before an answer.

use crate::campaign::{Enough, Part, Rng, Tally, Violation, ensure};
use crate::disk::life::{self, Step};
use crate::disk::trace::Event;
use crate::model::{Answer, Op};
use crate::power_loss::{Beginning, Life};
use crate::script::{Profile, Script};

/// Holds answers against syncs: success is told after a sync that began after the last write, and
/// what changes nothing neither writes nor syncs.
#[derive(Debug)]
pub struct SyncOrder;

impl Part for SyncOrder {
    fn name(&self) -> &'static str {
        "sync-order"
    }

    fn about(&self) -> &'static str {
        "no answer before the sync that makes it durable, and no sync for nothing"
    }

    fn unit(&self) -> &'static str {
        "answers"
    }

    fn enough(&self) -> Enough {
        Enough {
            short: 5_000,
            long: 1_000_000,
        }
    }

    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        let mut script = Script::new(Profile {
            ids: 40,
            users: 4,
            expires: rng.bool(),
            reads: true,
            creates: 4,
        });
        let steps = life::steps(&mut script, 60, rng);
        // Uses that are written by themselves would lie between an operation and its answer.
        let steps = steps.into_iter().filter(|step| !writes_later(step));
        let steps: Vec<_> = steps.collect();
        let life = Life::record(&Beginning::default(), &steps, false, true)?;
        look_at(&life, tally)
    }
}

/// Uses are written later, and so the records of sessions are deleted that are ended many at a time.
fn writes_later(step: &Step) -> bool {
    let writes_later = |op: &Op| match op {
        Op::Update { change, .. } => change.as_touch().is_some(),
        Op::DeleteUser { .. } => true,
        _ => false,
    };
    match step {
        Step::Reopen => false,
        Step::Together(ops) => ops.iter().any(writes_later),
    }
}

pub(crate) fn look_at(life: &Life, tally: &mut Tally) -> Result<(), Violation> {
    let changes = changes(life);
    let mut disk = Disk::default();
    let mut begun = Vec::new();
    // Of a group, the work is counted once: between the first that is begun and the first answer.
    let mut group = Group::default();
    for event in &life.trace.0 {
        match event {
            Event::Begun(number) => {
                if group.asked == group.answered {
                    group.end(tally);
                    group = Group::begin(&disk);
                }
                group.asked += 1;
                begun.push((*number, disk));
            }
            Event::Write(..) => {
                disk.writes += 1;
                disk.is_synced = false;
            }
            // That the file is shorter is no loss.
            Event::SetLen(_) => {}
            Event::SyncBegun => disk.covers = !disk.is_synced,
            Event::Synced => {
                disk.syncs += 1;
                disk.is_synced |= disk.covers;
            }
            Event::Answered(number) => {
                group.answered += 1;
                let Some((op, answer)) = life.ops.get(*number) else {
                    continue;
                };
                let Some((_, before)) = begun.get(*number) else {
                    continue;
                };
                tally.count("answers");
                let has_changed = changes.get(*number).copied().flatten();
                group.changes += u64::from(has_changed == Some(true));
                group.may_change |= has_changed.is_none();
                if has_changed == Some(true) {
                    tally.count("answers to changes");
                    ensure(disk.is_synced && disk.syncs > before.syncs, || {
                        format!("{op:?} was answered with {answer:?} before a sync of its writes")
                    })?;
                }
                group.now = disk;
                if group.asked == group.answered {
                    group.hold(op, answer)?;
                }
            }
        }
    }
    group.end(tally);
    Ok(())
}

/// What the disk did so far.
#[derive(Clone, Copy, Debug, Default)]
struct Disk {
    writes: u64,
    syncs: u64,
    /// Whether a complete sync covers all writes.
    is_synced: bool,
    /// Whether the sync under way covers something.
    covers: bool,
}

/// Operations that are under way at once.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    before: Disk,
    now: Disk,
    asked: u64,
    answered: u64,
    changes: u64,
    may_change: bool,
}

impl Group {
    fn begin(disk: &Disk) -> Self {
        Self {
            before: *disk,
            now: *disk,
            ..Self::default()
        }
    }

    /// Two syncs for one commit, one more where the file grows; none for nothing.
    fn hold(&self, op: &Op, answer: &Answer) -> Result<(), Violation> {
        let syncs = self.now.syncs - self.before.syncs;
        let writes = self.now.writes - self.before.writes;
        let fits = match self.changes {
            0 if !self.may_change => syncs == 0 && writes == 0,
            0 => syncs <= 3,
            _ => matches!(syncs, 2..=3) && writes > 0,
        };
        ensure(fits, || {
            let changes = self.changes;
            format!(
                "{syncs} syncs and {writes} writes for {changes} changes, the last being {op:?} -> {answer:?}"
            )
        })
    }

    fn end(&self, tally: &mut Tally) {
        if self.changes > 0 {
            tally.count("commits");
            tally.add("syncs of commits", self.now.syncs - self.before.syncs);
        } else if self.asked > 0 {
            tally.count("groups that changed nothing");
        }
    }
}

/// Says of each operation whether it changes what is kept. A prune that deletes nothing may file
/// something anew.
fn changes(life: &Life) -> Vec<Option<bool>> {
    let mut model = life.model.clone();
    let change = |(op, answer): &(Op, Answer)| {
        let before = model.clone();
        model.apply(op);
        let is_prune = matches!(op, Op::PruneAll { .. }) && *answer == Answer::Count(0);
        (!is_prune).then(|| model != before)
    };
    life.ops.iter().map(change).collect()
}
