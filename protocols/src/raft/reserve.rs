//! How a node that was told that it is no member any more holds back with its questions.
//!
//! Not who tells it, nor when, which is in `dismissal.rs`.

/// How often the wait doubles at most.
const DOUBLINGS: u8 = 4;

/// How a node that is no member any more holds back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Reserve {
    /// How often in a row it was told.
    told: u8,
    /// How many election timeouts pass until it asks again.
    left: u8,
}

impl Reserve {
    /// Whether to let this election timeout pass.
    pub(super) fn holds_back(&mut self) -> bool {
        let holds = self.left > 0;
        self.left = self.left.saturating_sub(1);
        holds
    }

    /// Somebody said that this node is no member; others say so in answer to the same question.
    pub(super) fn deepen(&mut self) {
        if self.left == 0 {
            self.told = (self.told + 1).min(DOUBLINGS);
            self.left = (1 << self.told) - 1;
        }
    }
}
