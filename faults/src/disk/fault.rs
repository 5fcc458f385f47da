//! What goes wrong, and from when on.

use std::io::ErrorKind;

/// How a file is accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Its length is asked for.
    Len,
    /// It is read.
    Read,
    /// It is written.
    Write,
    /// Its length is set.
    SetLen {
        /// To more than it was.
        grows: bool,
    },
    /// It is synced.
    Sync,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Whatever is accessed.
    Any,
    /// Asking for the length.
    Len,
    /// Reading.
    Read,
    /// Writing; nothing is written.
    Write,
    /// Writing; some of the bytes are written.
    ShortWrite,
    /// Setting the length.
    SetLen,
    /// Syncing.
    Sync,
    /// There is no room: to write, or for more length.
    Full,
    /// There is no room for more length, and writing over what is there works.
    FullToGrow,
}

impl What {
    /// All there are.
    pub const ALL: [Self; 9] = [
        Self::Any,
        Self::Len,
        Self::Read,
        Self::Write,
        Self::ShortWrite,
        Self::SetLen,
        Self::Sync,
        Self::Full,
        Self::FullToGrow,
    ];

    /// Says whether it is an access that goes wrong.
    #[must_use]
    pub fn concerns(self, access: Access) -> bool {
        use Access as A;
        match self {
            Self::Any => true,
            Self::Len => access == A::Len,
            Self::Read => access == A::Read,
            Self::Write | Self::ShortWrite => access == A::Write,
            Self::SetLen => matches!(access, A::SetLen { .. }),
            Self::Sync => access == A::Sync,
            Self::Full => matches!(access, A::Write | A::SetLen { grows: true }),
            Self::FullToGrow => access == (A::SetLen { grows: true }),
        }
    }
}

/// What goes wrong, and from when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub what: What,
    /// How many accesses that it concerns go well before.
    pub after: u64,
    /// Whether it goes wrong from then on, not once.
    pub is_lasting: bool,
    is_over: bool,
}

impl Fault {
    /// Lets something go wrong after so many accesses.
    #[must_use]
    pub fn new(what: What, after: u64, is_lasting: bool) -> Self {
        Self {
            what,
            after,
            is_lasting,
            is_over: false,
        }
    }

    /// Lets nothing through.
    #[must_use]
    pub fn dead() -> Self {
        Self::new(What::Any, 0, true)
    }

    /// Takes note of an access; says with what it fails.
    pub(super) fn meets(&mut self, access: Access) -> Option<ErrorKind> {
        if self.is_over || !self.what.concerns(access) {
            return None;
        }
        if self.after > 0 {
            self.after -= 1;
            return None;
        }
        self.is_over = !self.is_lasting;
        Some(match self.what {
            What::Full | What::FullToGrow => ErrorKind::StorageFull,
            _ => ErrorKind::Other,
        })
    }

    /// How many bytes of a write that failed are written.
    pub(super) fn part(&self, len: usize) -> usize {
        match self.what {
            // Neither a sector nor half of the bytes.
            What::ShortWrite => len / 3,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_wrong_after_so_many_accesses_that_it_concerns() {
        let mut once = Fault::new(What::Sync, 1, false);
        let met = [Access::Sync, Access::Write, Access::Sync, Access::Sync].map(|a| once.meets(a));
        assert_eq!(met, [None, None, Some(ErrorKind::Other), None]);

        let mut lasting = Fault::new(What::Full, 0, true);
        let shrinks = Access::SetLen { grows: false };
        let met = [Access::Read, shrinks, Access::Write, Access::Write].map(|a| lasting.meets(a));
        let full = Some(ErrorKind::StorageFull);
        assert_eq!(met, [None, None, full, full]);
    }
}
