//! The parts of the programme.

use crate::campaign::Part;
use crate::damage::Damages;
use crate::histories::Histories;
use crate::http_histories::HttpHistories;
use crate::io_errors::IoErrors;
use crate::power_loss::PowerLoss;
use crate::process::full::DiskFull;
use crate::process::kernel::{FileLimit, Kernel};
use crate::process::kill::{Kill, KillAccesses, KillSyscalls};
use crate::process::server_kill::KillServer;
use crate::process::soak::Soak;
use crate::process::sync_trace::SyncTrace;
use crate::recovery::Recovery;
use crate::sequences::Sequences;
use crate::sync_order::SyncOrder;

/// Returns all parts, in the order in which they are run.
#[must_use]
pub fn all() -> Vec<Box<dyn Part>> {
    vec![
        Box::new(IoErrors),
        Box::new(PowerLoss),
        Box::new(Recovery),
        Box::new(Damages),
        Box::new(SyncOrder),
        Box::new(Sequences),
        Box::new(Histories::embedded()),
        Box::new(Histories::failing()),
        Box::new(Kill),
        Box::new(KillAccesses),
        Box::new(KillSyscalls),
        Box::new(KillServer),
        Box::new(Kernel),
        Box::new(FileLimit),
        Box::new(DiskFull),
        Box::new(SyncTrace),
        Box::new(Soak::default()),
        Box::new(HttpHistories),
    ]
}
