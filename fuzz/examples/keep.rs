//! Packs what the fuzz target `bolt` found, for the tests to hold to the same: see `fuzz/keep`.

use std::io;
use std::path::PathBuf;

#[path = "../../crates/sessionup-bolt/tests/support/found.rs"]
mod found;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        return Err(io::Error::other(
            "name a directory of inputs, and the file to write",
        ));
    };
    let mut inputs = Vec::new();
    for entry in std::fs::read_dir(from)? {
        inputs.push(std::fs::read(entry?.path())?);
    }
    // The same inputs make the same file, in whatever order they lie.
    inputs.sort_unstable();
    println!("{} inputs", inputs.len());
    std::fs::write(to, found::pack(&inputs))
}
