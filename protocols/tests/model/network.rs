//! A network without mercy: what was said once may arrive at any later time, in any order, any number of times, or never.
//!
//! Nothing that could still matter is ever taken out of it, which is loss, repetition and reordering in one. Forgotten is only
//! what its receiver answers, if at all, by naming its own term; that a node hears a peer's term is an action by itself.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use synod_protocols::raft::{Epoch, Message};
use synod_protocols::{NodeId, Term};

use crate::naming::Renaming;

/// A message that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) message: Message,
    identity: u64,
    digests: Vec<u64>,
}

/// All that was said, each message once.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    said: Vec<Arc<Envelope>>,
    /// The sum of the messages' digests under each renaming.
    digests: Vec<u64>,
}

impl Network {
    /// A network in which nobody has spoken; `renamings` are the names under which it will be compared.
    pub(crate) fn silent(renamings: usize) -> Self {
        Self { said: Vec::new(), digests: vec![0; renamings] }
    }

    /// Adds a message, unless the same was said before. Says whether it is a fresh one.
    pub(crate) fn say(&mut self, from: NodeId, to: NodeId, message: Message, renamings: &[Renaming]) -> bool {
        let mut hasher = DefaultHasher::new();
        (from, to, format!("{message:?}")).hash(&mut hasher);
        let identity = hasher.finish();
        let Err(place) = self.said.binary_search_by_key(&identity, |envelope| envelope.identity) else {
            return false;
        };
        let text = digest(&message);
        let digests = renamings.iter().map(|it| {
            let mut hasher = DefaultHasher::new();
            (it.of(from), it.of(to), text).hash(&mut hasher);
            hasher.finish()
        });
        let digests: Vec<u64> = digests.collect();
        for (sum, digest) in self.digests.iter_mut().zip(&digests) {
            *sum = sum.wrapping_add(*digest);
        }
        self.said.insert(place, Arc::new(Envelope { from, to, message, identity, digests }));
        true
    }

    /// Forgets what comes too late for a node whose disk bears `term`.
    pub(crate) fn outdate(&mut self, to: NodeId, term: Term) {
        let digests = &mut self.digests;
        self.said.retain(|envelope| {
            let late = envelope.to == to && is_past(&envelope.message, term);
            if late {
                for (sum, digest) in digests.iter_mut().zip(&envelope.digests) {
                    *sum = sum.wrapping_sub(*digest);
                }
            }
            !late
        });
    }

    /// Everything that may arrive.
    pub(crate) fn said(&self) -> &[Arc<Envelope>] {
        &self.said
    }

    /// A digest under the renaming of that number.
    pub(crate) fn digest(&self, renaming: usize) -> u64 {
        self.digests[renaming]
    }
}

/// Whether a message is about a term before `term`.
pub(crate) fn is_past(message: &Message, term: Term) -> bool {
    match message {
        Message::PreVote { proposed, .. } => *proposed <= term,
        Message::PreVoteReply { proposed, term: own, .. } | Message::Ahead { proposed, term: own, .. } => {
            *proposed <= term && *own <= term
        }
        // What was given may be taken in a later term too.
        Message::Pull { .. } | Message::PullReply { .. } | Message::Dismissed { .. } => false,
        Message::Vote { term: own, .. }
        | Message::VoteReply { term: own, .. }
        | Message::Append { term: own, .. }
        | Message::AppendReply { term: own, .. }
        | Message::Heartbeat { term: own, .. }
        | Message::HeartbeatReply { term: own, .. }
        | Message::Snapshot { term: own, .. }
        | Message::Lend { term: own, .. }
        | Message::Lent { term: own, .. }
        | Message::Anchor { term: own, .. }
        | Message::Sleep { term: own, .. }
        | Message::SleepReply { term: own, .. }
        | Message::Canvass { term: own, .. }
        | Message::CanvassReply { term: own, .. }
        | Message::Claim { term: own, .. }
        | Message::TimeoutNow { term: own, .. } => *own < term,
    }
}

/// A digest of a message, which names no node; a replication's name follows from term and peer.
pub(crate) fn digest(message: &Message) -> u64 {
    let mut nameless = message.clone();
    match &mut nameless {
        Message::Append { epoch, .. }
        | Message::AppendReply { epoch, .. }
        | Message::Heartbeat { epoch, .. }
        | Message::HeartbeatReply { epoch, .. }
        | Message::Snapshot { epoch, .. }
        | Message::Lend { epoch, .. }
        | Message::Lent { epoch, .. }
        | Message::Anchor { epoch, .. }
        | Message::Sleep { epoch, .. }
        | Message::SleepReply { epoch, .. } => *epoch = Epoch::default(),
        Message::PreVote { .. }
        | Message::PreVoteReply { .. }
        | Message::Ahead { .. }
        | Message::Pull { .. }
        | Message::PullReply { .. }
        | Message::Vote { .. }
        | Message::VoteReply { .. }
        | Message::Dismissed { .. }
        | Message::Canvass { .. }
        | Message::CanvassReply { .. }
        | Message::Claim { .. }
        | Message::TimeoutNow { .. } => {}
    }
    let mut hasher = DefaultHasher::new();
    format!("{nameless:?}").hash(&mut hasher);
    hasher.finish()
}
