//! The script that a child performs and its parent knows.

use sessionup_core::{SessionId, Timestamp, UserKey};

use crate::campaign::Rng;
use crate::model::Op;
use crate::script::{Profile, Script};

/// Operations drawn from a seed, one after the other.
#[derive(Debug)]
pub struct Scenario {
    script: Script,
    rng: Rng,
    has_uses: bool,
    drawn: u64,
}

impl Scenario {
    /// Draws what the script is like, and begins it.
    ///
    /// Uses of a session may be lost with the process, by right, and a session with an idle timeout
    /// with them: a script has uses or it has sessions that expire.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let has_uses = rng.bool();
        let profile = Profile {
            ids: rng.u64(8..=40),
            users: rng.usize(1..=6),
            expires: !has_uses,
            reads: rng.bool(),
            creates: rng.u8(4..=7),
        };
        Self {
            script: Script::new(profile),
            rng,
            has_uses,
            drawn: 0,
        }
    }

    /// Whether a process that is gone took uses along, so that what it left must be looked at before
    /// the script goes on.
    #[must_use]
    pub fn has_uses(&self) -> bool {
        self.has_uses
    }

    /// How many operations were drawn.
    #[must_use]
    pub fn drawn(&self) -> u64 {
        self.drawn
    }

    /// Draws the next operation.
    pub fn draw(&mut self) -> Op {
        self.drawn += 1;
        loop {
            let op = self.script.next(&mut self.rng);
            if self.has_uses || !is_use(&op) {
                return op;
            }
        }
    }

    /// Returns the time of the script.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.script.now()
    }

    /// Returns all ids that there can be.
    pub fn ids(&self) -> impl Iterator<Item = SessionId> + use<> {
        self.script.ids()
    }

    /// Returns all users that there can be.
    pub fn users(&self) -> impl Iterator<Item = UserKey> + use<> {
        self.script.users()
    }
}

fn is_use(op: &Op) -> bool {
    matches!(op, Op::Update { change, .. } if change.as_touch().is_some())
}

/// Says whether an operation is done by other threads than the one that writes, so that its place
/// among others is known only if there are none.
#[must_use]
pub fn is_alone(op: &Op) -> bool {
    matches!(op, Op::Fetch { .. } | Op::List { .. }) || is_use(op)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draw_the_same() {
        for seed in 0..20 {
            let (mut one, mut other) = (Scenario::of(seed), Scenario::of(seed));
            for _ in 0..200 {
                let op = one.draw();
                assert_eq!(op, other.draw());
                assert!(one.has_uses() || !is_use(&op), "{op:?}");
            }
        }
    }
}
