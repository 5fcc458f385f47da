//! The steps of a sequence, and how they are drawn.

use sessionup_core::{SessionId, SessionLimit, Timestamp};

use crate::campaign::Rng;
use crate::model::Op;
use crate::script::{Profile, Script};

/// How many buckets there are in one database. None must see anything of the others.
pub(super) const BUCKETS: usize = 2;

/// One step. An operation names the bucket that it is asked of.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// An operation.
    Ask(usize, Op),
    /// Operations on different users at once.
    Together(usize, Vec<Op>),
    /// An operation whose future is polled once and dropped.
    Abandon(usize, Op, Timestamp),
    /// Prunes in batches of at most so many, until nothing is left to prune.
    Prune(usize, usize, Timestamp),
    /// Looks at everything.
    Look(usize, Timestamp),
    /// Closes the embedded stores and their database, and opens them anew.
    Restart,
    /// Deletes everything of everybody.
    Clear,
}

/// What is drawn: few ids and users, so that operations meet.
pub(super) const PROFILE: Profile = Profile {
    ids: 8,
    users: 3,
    expires: true,
    reads: true,
    creates: 5,
};

/// Draws a sequence, which begins and ends with empty stores.
pub(super) fn draw(rng: &mut Rng) -> Vec<Step> {
    let mut scripts = [(); BUCKETS].map(|()| Script::new(PROFILE));
    let mut steps: Vec<_> = (0..rng.usize(4..=24))
        .flat_map(|_| {
            // Mostly the first, so that something comes together there.
            let bucket = usize::from(rng.u8(..5) == 0);
            step(bucket, scripts.get_mut(bucket), rng)
        })
        .collect();
    let looks = scripts.iter().enumerate();
    steps.extend(looks.map(|(bucket, script)| Step::Look(bucket, script.now())));
    steps.push(Step::Clear);
    steps
}

fn step(bucket: usize, script: Option<&mut Script>, rng: &mut Rng) -> Option<Step> {
    let script = script?;
    Some(match rng.u8(..100) {
        0 => Step::Restart,
        1..=3 => Step::Abandon(bucket, script.next(rng), script.now()),
        4..=6 => Step::Prune(bucket, rng.usize(1..4), script.now()),
        7..=11 => Step::Together(bucket, together(script, rng)),
        12..=13 => Step::Look(bucket, script.now()),
        _ => Step::Ask(bucket, script.next(rng)),
    })
}

/// Draws operations none of which has anything to do with another one: what they are answered does
/// not depend on their order.
fn together(script: &mut Script, rng: &mut Rng) -> Vec<Op> {
    let mut ids: Vec<SessionId> = Vec::new();
    let mut ops = Vec::new();
    for user in script.users() {
        let drawn = loop {
            let op = script.next(rng);
            match op {
                Op::Create { .. } | Op::List { .. } | Op::DeleteUser { .. } => break op,
                Op::Delete { owner: Some(_), .. } => break op,
                _ => {}
            }
        };
        let of_user = match drawn {
            Op::Create {
                mut record,
                limit,
                now,
                ..
            } => {
                record.session.user_key = user;
                let limit: Option<SessionLimit> = limit;
                Op::Create {
                    record,
                    replaces: None,
                    limit,
                    now,
                }
            }
            Op::List { now, .. } => Op::List { user, now },
            Op::DeleteUser { .. } => Op::DeleteUser {
                user,
                except: Vec::new(),
            },
            Op::Delete { id, .. } => Op::Delete {
                id,
                owner: Some(user),
            },
            other => other,
        };
        let id = match &of_user {
            Op::Create { record, .. } => Some(record.session.id),
            Op::Delete { id, .. } => Some(*id),
            _ => None,
        };
        if id.is_none_or(|id| !ids.contains(&id)) {
            ids.extend(id);
            ops.push(of_user);
        }
    }
    ops
}
