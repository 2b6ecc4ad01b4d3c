//! What a caller learns when a message was not answered: why, and whether it may have been executed all the same.

use std::fmt;

pub use synod_protocols::Outcome;

/// Why a message was not delivered or not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// There is no link to the target's node, and none came up within the connect timeout.
    Unreachable,
    /// The deadline passed.
    Timeout,
    /// The target's feed holds its limit of messages or bytes.
    MailboxFull,
    /// The link's lane holds its limit of unsent bytes, or the peer has its share of what may wait at the target's node.
    LinkFull,
    /// The target's node never had this actor.
    NoSuchActor,
    /// The actor has stopped.
    Stopped,
    /// The reference is of an earlier process of its node.
    StaleIncarnation,
    /// The target does not know this message.
    Unsupported,
    /// The target could not decode the message, or the caller the answer.
    Decode,
    /// The message's `Serialize` refused.
    Encode,
    /// The caller may not call this interface.
    Denied,
    /// The handler panicked.
    Panicked,
    /// The link broke while the answer was awaited.
    LinkLost,
    /// The message exceeds the largest size that travels.
    TooLarge,
    /// The handler dropped the request without an answer.
    Cancelled,
    /// The reference is not bound to a node: bind it first.
    Unbound,
    /// The peer has been taken for dead, and somebody was told so: until it starts again its actors and this node's do not talk.
    Quarantined,
}

/// A message that was not delivered or not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{cause}, {}", outcome_text(*outcome))]
pub struct AskError {
    /// Why.
    pub cause: Cause,
    /// Whether it may have taken effect.
    pub outcome: Outcome,
}

impl AskError {
    /// The message had no effect.
    #[must_use]
    pub const fn not_executed(cause: Cause) -> Self {
        Self { cause, outcome: Outcome::NotExecuted }
    }

    /// The message may have had its effect.
    #[must_use]
    pub const fn unknown(cause: Cause) -> Self {
        Self { cause, outcome: Outcome::Unknown }
    }
}

/// The text of logs and of HTTP bodies.
#[must_use]
pub const fn outcome_text(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotExecuted => "not_executed",
        Outcome::Unknown => "unknown",
    }
}

/// The number of an outcome on the wire.
pub(crate) const fn outcome_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::NotExecuted => 0,
        Outcome::Unknown => 1,
    }
}

/// The outcome of a peer's report: what we do not know may have happened.
pub(crate) const fn outcome_of(code: u8) -> Outcome {
    match code {
        0 => Outcome::NotExecuted,
        _ => Outcome::Unknown,
    }
}

impl Cause {
    pub(crate) const ALL: [(Self, u8, &'static str); 17] = [
        (Self::Unreachable, 1, "unreachable"),
        (Self::Timeout, 2, "timeout"),
        (Self::MailboxFull, 3, "mailbox_full"),
        (Self::LinkFull, 4, "link_full"),
        (Self::NoSuchActor, 5, "no_such_actor"),
        (Self::Stopped, 6, "stopped"),
        (Self::StaleIncarnation, 7, "stale_incarnation"),
        (Self::Unsupported, 8, "unsupported"),
        (Self::Decode, 9, "decode"),
        (Self::Encode, 10, "encode"),
        (Self::Denied, 11, "denied"),
        (Self::Panicked, 12, "panicked"),
        (Self::LinkLost, 13, "link_lost"),
        (Self::TooLarge, 14, "too_large"),
        (Self::Cancelled, 15, "cancelled"),
        (Self::Unbound, 16, "unbound"),
        (Self::Quarantined, 17, "quarantined"),
    ];

    /// The text of logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL[usize::from(self.code()) - 1].2
    }

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Unreachable => 1,
            Self::Timeout => 2,
            Self::MailboxFull => 3,
            Self::LinkFull => 4,
            Self::NoSuchActor => 5,
            Self::Stopped => 6,
            Self::StaleIncarnation => 7,
            Self::Unsupported => 8,
            Self::Decode => 9,
            Self::Encode => 10,
            Self::Denied => 11,
            Self::Panicked => 12,
            Self::LinkLost => 13,
            Self::TooLarge => 14,
            Self::Cancelled => 15,
            Self::Unbound => 16,
            Self::Quarantined => 17,
        }
    }

    /// The cause of a peer's report; `None` for a code this version does not know.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == code).map(|(cause, ..)| *cause)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_name_their_cause() {
        for (position, (cause, code, text)) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(code), position + 1);
            assert_eq!(Cause::from_code(cause.code()), Some(cause));
            assert_eq!(cause.as_str(), text);
        }
        assert_eq!(Cause::from_code(0), None);
        assert_eq!(Cause::from_code(18), None);
    }
}
