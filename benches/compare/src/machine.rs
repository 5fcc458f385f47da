//! What a measurement was made on.

use std::process::Command;

/// The machine and the versions, a line each.
pub(crate) fn describe(directory: &std::path::Path) -> Vec<String> {
    let told = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = told("/proc/cpuinfo");
    let cpu = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let cpu = cpu.map_or("a processor", |cpu| cpu.trim_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
    let memory = told("/proc/meminfo");
    let memory = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let memory = memory.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    let mut lines = vec![format!(
        "{cpu}, {cores} processors, {} GiB of memory, {} {}",
        memory.unwrap_or_default() / 1024 / 1024,
        std::env::consts::OS,
        told("/proc/sys/kernel/osrelease").trim(),
    )];
    lines.extend(sync_cost(directory));
    for (program, argument) in [
        ("rustc", "--version"),
        ("redis-server", "--version"),
        ("go", "version"),
    ] {
        if let Ok(output) = Command::new(program).arg(argument).output() {
            lines.push(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
    }
    lines
}

/// How long the disk takes for four KiB.
fn sync_cost(directory: &std::path::Path) -> Option<String> {
    use std::io::Write;
    let path = directory.join("sync");
    let mut file = std::fs::File::create(&path).ok()?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let begun = std::time::Instant::now();
        file.write_all(&[7; 4096]).ok()?;
        file.sync_data().ok()?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    std::fs::remove_file(&path).ok()?;
    let (median, late) = (times.get(100)?, times.get(198)?);
    Some(format!(
        "disk: 4 KiB appended and synced in {:.2} ms at the median, {:.2} ms at the 99th per cent",
        median.as_secs_f64() * 1e3,
        late.as_secs_f64() * 1e3,
    ))
}
