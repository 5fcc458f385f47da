//! What is ours, and the plainest things that could stand in its place.

mod bare;
mod hash_map;
mod ours;

use std::process::ExitCode;

use subject::Error;

pub(crate) use bare::{Bare, BareAside};
pub(crate) use hash_map::HashMapStore;
pub(crate) use ours::{Cold, Memory, Redb};

/// Runs the subject of this name, if there is one.
pub(crate) fn run(
    name: &str,
    arguments: impl Iterator<Item = String>,
) -> Option<Result<ExitCode, Error>> {
    Some(match name {
        "redb" => subject::main::<Redb>(arguments),
        "redb-cold" => subject::main::<Cold>(arguments),
        "memory" => subject::main::<Memory>(arguments),
        "hash-map" => subject::main::<HashMapStore>(arguments),
        "bare-redb" => subject::main::<Bare>(arguments),
        "bare-redb-aside" => subject::main::<BareAside>(arguments),
        "bare-axum" => subject::main::<crate::serving::BareAxum>(arguments),
        _ => return None,
    })
}
