//! Why a request has no session.

use crate::client::Mismatch;

/// Why a request has no session. For logs and metrics; clients are told nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It has no cookie of ours.
    Absent,
    /// It has our cookie more than once with different values.
    Ambiguous,
    /// The session was ended by this request.
    Ended,
    /// No live session has this token, and by its age it must have expired. A guess: anybody can
    /// make up a token of any age.
    Expired,
    /// The cookie's value is no token.
    Malformed,
    /// Address or agent differ from those that logged in.
    Mismatch(Mismatch),
    /// The token was replaced by a renewal a moment ago. A request that was under way then.
    Replaced,
    /// The token is the one before the present one and was replaced a while ago: somebody has it who
    /// should not. See
    /// [`OnReuse`](crate::OnReuse).
    Reused,
    /// It has more cookies than are looked at.
    TooLarge,
    /// No live session has this token.
    Unknown,
    /// A live session has the token's id and another secret: the token is older than the one before
    /// the present one, or made up by somebody who saw the id. Nothing follows from it.
    WrongSecret,
}

impl Refusal {
    /// Returns the reason as one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Ambiguous => "ambiguous",
            Self::Ended => "ended",
            Self::Expired => "expired",
            Self::Malformed => "malformed",
            Self::Mismatch(_) => "mismatch",
            Self::Replaced => "replaced",
            Self::Reused => "reused",
            Self::TooLarge => "too-large",
            Self::Unknown => "unknown",
            Self::WrongSecret => "wrong-secret",
        }
    }
}
