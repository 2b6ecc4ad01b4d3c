//! What clients ask of a key, and what they are told: reads, writes, and writes on condition. Every value is written once, so that a
//! read says which write it saw.

use serde_json::{Value as Json, json};
use synod::protocols::prng::Prng;

/// What is asked of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Its value.
    Read,
    /// That it has this value from now on.
    Write(u64),
    /// That it has the second value if it has the first.
    CompareAndSet(u64, u64),
}

/// What a client was told in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The value that was read.
    Value(Option<u64>),
    /// It is written.
    Done,
    /// Whether the key had the expected value.
    Swapped(bool),
    /// Nothing happened, and never will.
    Nothing(String),
    /// It may have happened, or may yet.
    Unknown(String),
}

impl Question {
    /// Draws a question about a key in which a client has last seen `seen`; `fresh` gives a value that was never written.
    pub(super) fn draw(prng: &mut Prng, seen: Option<u64>, fresh: impl FnOnce() -> u64) -> Self {
        match (prng.below(10), seen) {
            (0..4, _) => Self::Read,
            (4..7, Some(seen)) => Self::CompareAndSet(seen, fresh()),
            _ => Self::Write(fresh()),
        }
    }

    /// Its name in a history.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write(_) => "write",
            Self::CompareAndSet(..) => "cas",
        }
    }

    /// Its value in a history.
    pub(super) fn value(self) -> Json {
        match self {
            Self::Read => Json::Null,
            Self::Write(value) => json!(value),
            Self::CompareAndSet(expected, new) => json!([expected, new]),
        }
    }

    /// What the key holds after it, as far as its client can tell.
    pub(super) fn seen(self, told: &Told, before: Option<u64>) -> Option<u64> {
        match (self, told) {
            (Self::Read, Told::Value(value)) => *value,
            (Self::Write(value), Told::Done) | (Self::CompareAndSet(_, value), Told::Swapped(true)) => {
                Some(value)
            }
            _ => before,
        }
    }
}
