//! Writes the inputs that fuzzers begin with: a directory for each property, a file for each case.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let to = std::env::args_os().nth(1).map(PathBuf::from);
    let to = to.ok_or_else(|| std::io::Error::other("name the directory to write to"))?;
    for (property, _) in corpus::properties::ALL {
        let directory = to.join(property);
        std::fs::create_dir_all(&directory)?;
        for (number, bytes) in corpus::seeds(property).iter().enumerate() {
            std::fs::write(directory.join(format!("case-{number:04}")), bytes)?;
        }
    }
    Ok(())
}
