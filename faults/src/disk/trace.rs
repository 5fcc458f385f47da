//! What was done to a file, in order, with what was asked and answered meanwhile.

use std::sync::Arc;

use super::image::Image;

/// What happened, in order.
#[derive(Clone, Debug, Default)]
pub struct Trace(pub Vec<Event>);

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Bytes were written at an offset.
    Write(u64, Arc<[u8]>),
    /// The length was set.
    SetLen(u64),
    /// A sync began: it covers what was done before.
    SyncBegun,
    /// The sync that began last is complete.
    Synced,
    /// The store was asked for the operation of this number.
    Begun(usize),
    /// The answer to the operation of this number was on its way.
    Answered(usize),
}

/// Something that a loss of power can take back until it is synced.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Bytes at an offset.
    Write(u64, Arc<[u8]>),
    /// A length.
    SetLen(u64),
}

impl Event {
    /// Returns what it did to the file, if it did something.
    #[must_use]
    pub fn effect(&self) -> Option<Effect> {
        match self {
            Self::Write(offset, bytes) => Some(Effect::Write(*offset, Arc::clone(bytes))),
            Self::SetLen(len) => Some(Effect::SetLen(*len)),
            Self::SyncBegun | Self::Synced | Self::Begun(_) | Self::Answered(_) => None,
        }
    }
}

impl Effect {
    /// Does it.
    pub fn apply(&self, image: &mut Image) {
        match self {
            Self::Write(offset, bytes) => image.write(*offset, bytes),
            Self::SetLen(len) => image.set_len(*len),
        }
    }
}
