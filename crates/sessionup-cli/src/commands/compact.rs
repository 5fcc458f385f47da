//! `sessionup compact`

use indicatif::BinaryBytes;
use serde::Serialize;

use crate::args::Look;
use crate::failure::Failure;
use crate::output;
use crate::store::Place;

#[derive(Serialize)]
struct Answer {
    bytes_before: u64,
    bytes_after: u64,
}

pub(super) fn run(args: &Look) -> Result<(), Failure> {
    let spinner = output::spinner("Compacting");
    let compacted = Place::from(&args.place).compact();
    spinner.finish_and_clear();
    let compacted = compacted?;
    if args.json.json {
        return output::json(&Answer {
            bytes_before: compacted.before,
            bytes_after: compacted.after,
        });
    }
    output::print(&format!(
        "{} before, {} now\n",
        BinaryBytes(compacted.before),
        BinaryBytes(compacted.after)
    ))
}
