//! Why a message did not get onto its way: the link has no room for it, or its target has none.

use super::flow::Shut;

/// Why a frame did not get onto a link. Nothing was sent.
#[derive(Debug)]
pub(crate) enum SendError {
    Closed,
    Full,
    TooLarge,
    Encode,
    /// The actor's window is used up.
    Exhausted,
    /// The actor has stopped.
    Gone,
}

impl From<Shut> for SendError {
    fn from(shut: Shut) -> Self {
        match shut {
            Shut::Exhausted => Self::Exhausted,
            Shut::Gone => Self::Gone,
            Shut::Lost => Self::Closed,
        }
    }
}
