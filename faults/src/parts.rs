//! The parts of the programme.

use crate::campaign::Part;
use crate::damage::Damages;
use crate::histories::Histories;
use crate::io_errors::IoErrors;
use crate::power_loss::PowerLoss;
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
    ]
}
