//! How far a message may raise the term. Terms are spent by campaigns, one after the other, and never come back: a peer that names the last of
//! all would leave none, and the group without a leader for ever.
//!
//! Who campaigns once a millisecond needs 34 years for [`COMMON`], so nobody honest is refused. Whoever raises terms on purpose gets
//! [`STRIDE`] further with each message, and waits for a ballot to be durable each time: the terms that are left outlast him.

use crate::raft::message::Message;
use crate::raft::state::Raft;
use crate::types::Term;

/// Terms that everybody believes.
const COMMON: u64 = 1 << 40;

/// By how much a message may be ahead beyond those.
const STRIDE: u64 = 1 << 20;

/// What a node believes that has never heard of a term: it may join a group in which terms were raised on purpose.
const FIRST: u64 = 1 << 63;

impl Raft {
    /// Whether a message names a term to which no campaigns have led.
    pub(super) fn is_beyond_reach(&self, message: &Message) -> bool {
        let reach = match self.term {
            Term::ZERO => FIRST,
            Term(term) => term.max(COMMON).saturating_add(STRIDE),
        };
        message.term().is_some_and(|term| term.0 > reach)
    }
}
