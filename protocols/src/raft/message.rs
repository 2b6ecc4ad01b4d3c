//! What Raft machines say to each other: one enumeration, every variant with who sends it, when, and what is owed.
//!
//! Not trusted by its receiver: a message that contradicts the rules becomes an event.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::log::{Entries, Position, SnapshotMeta};
use crate::raft::membership::Voice;
use crate::types::{LogIndex, NodeId, Term};

/// Names one replication of one leader to one peer, so that an answer to an earlier one moves nothing. Unique within a term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// Between the members of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A pre-candidate asks every voter whether it would get its vote (dissertation §9.6). Promises nothing; changes no term.
    /// Owed: [`Message::PreVoteReply`].
    PreVote {
        /// The term the sender would campaign in.
        proposed: Term,
        /// Where the sender's log ends.
        last: Position,
        /// The sender's disk.
        voice: Voice,
    },
    /// The answer to [`Message::PreVote`].
    PreVoteReply {
        /// The voter's own term; a pre-candidate behind it adopts it.
        term: Term,
        /// Echoed from the request.
        proposed: Term,
        /// Whether the voter would grant its vote.
        granted: bool,
        /// The sender's disk.
        voice: Voice,
    },
    /// A member that knows a committed configuration without whoever asks for a pre-vote, and none with it, says so (`dismissal.rs`).
    /// Owed: nothing.
    Dismissed {
        /// Where that configuration stands in the log.
        index: LogIndex,
    },
    /// A candidate asks every voter for its vote, once its own is durable (Raft §5.2). Owed: [`Message::VoteReply`].
    Vote {
        /// The candidate's term.
        term: Term,
        /// Where the candidate's log ends.
        last: Position,
        /// Whether the leader itself asked for this election, so that hearing a leader is no reason to refuse.
        transfer: bool,
        /// The candidate's disk.
        voice: Voice,
    },
    /// The answer to [`Message::Vote`]; a grant is durable before it is sent.
    VoteReply {
        /// The voter's term.
        term: Term,
        /// Whether the vote is granted.
        granted: bool,
        /// The sender's disk.
        voice: Voice,
    },
    /// The leader replicates entries (Raft §5.3), before they are durable on its own disk. Owed: [`Message::AppendReply`],
    /// once the entries are durable.
    Append {
        /// The leader's term.
        term: Term,
        /// The replication this belongs to.
        epoch: Epoch,
        /// The position before the first entry.
        previous: Position,
        /// The leader's commit index.
        commit: LogIndex,
        /// Consecutive entries after `previous`; may be empty.
        entries: Entries,
    },
    /// The answer to [`Message::Append`], to a probing heartbeat and to a snapshot.
    AppendReply {
        /// The sender's term.
        term: Term,
        /// Echoed from the request.
        epoch: Epoch,
        /// How far the logs agree.
        result: AppendResult,
        /// The sender's disk.
        voice: Voice,
    },
    /// The leader says that it is still there: on a timer when it has sent nothing else, and at once to confirm reads.
    /// Owed: [`Message::HeartbeatReply`], and [`Message::AppendReply`] when `probe` is given.
    Heartbeat {
        /// The leader's term.
        term: Term,
        /// The replication this belongs to.
        epoch: Epoch,
        /// The newest round of reads that waits for confirmation.
        round: u64,
        /// The lesser of the leader's commit index and what the peer is known to hold.
        commit: LogIndex,
        /// Given while the leader does not know that the peer's log reaches this position.
        probe: Option<Position>,
    },
    /// The answer to [`Message::Heartbeat`]. Says that the sender knew of no higher term.
    HeartbeatReply {
        /// The sender's term.
        term: Term,
        /// Echoed from the request.
        epoch: Epoch,
        /// Echoed from the request.
        round: u64,
        /// The sender's disk.
        voice: Voice,
        /// Whether the sender knows that its disk is not the one it was, and asks to be taken in anew.
        rejoin: bool,
        /// For how long, from the heartbeat on, the sender helps nobody else to be elected; zero when it promises nothing.
        promise: Duration,
    },
    /// The leader of a group that has had nothing to do for a while asks, in place of a heartbeat, to expect no more of them until
    /// there is something. All of its log is committed. Owed: [`Message::SleepReply`].
    Sleep {
        /// The leader's term.
        term: Term,
        /// The replication this belongs to.
        epoch: Epoch,
        /// Names the time without anything to do.
        lull: u64,
        /// Where the leader's log ends.
        last: Position,
    },
    /// The answer to [`Message::Sleep`]. Says that the sender knew of no higher term.
    SleepReply {
        /// The sender's term.
        term: Term,
        /// Echoed from the request.
        epoch: Epoch,
        /// Echoed from the request.
        lull: u64,
        /// Whether the sender has everything, is done with it, and waits for the leader's next word no longer.
        asleep: bool,
        /// The sender's disk.
        voice: Voice,
        /// As in [`Message::HeartbeatReply`].
        rejoin: bool,
    },
    /// Goes with a snapshot to a peer whose next entry the leader no longer has, from the leader or from whom it asked to lend
    /// his. Owed: [`Message::AppendReply`], to the leader.
    Snapshot {
        /// The leader.
        leader: NodeId,
        /// The leader's term.
        term: Term,
        /// The replication this belongs to.
        epoch: Epoch,
    },
    /// The leader asks a follower to send its newest snapshot to another peer in its stead. Owed: [`Message::Lent`].
    Lend {
        /// The leader's term.
        term: Term,
        /// The replication this belongs to, which is the borrower's.
        epoch: Epoch,
        /// Who needs a snapshot.
        to: NodeId,
        /// Which of the leader's attempts to get one there this is.
        attempt: u64,
        /// The least last index of a snapshot that helps.
        least: LogIndex,
    },
    /// The answer to [`Message::Lend`].
    Lent {
        /// The sender's term.
        term: Term,
        /// Echoed from the request.
        epoch: Epoch,
        /// Echoed from the request.
        to: NodeId,
        /// Echoed from the request.
        attempt: u64,
        /// The last index of the snapshot that came to the borrower's node whole; `None` when none did.
        delivered: Option<LogIndex>,
    },
    /// In place of a snapshot, to a witness, which holds no data: the log begins here. Owed: [`Message::AppendReply`].
    Anchor {
        /// The leader's term.
        term: Term,
        /// The replication this belongs to.
        epoch: Epoch,
        /// A committed position, and the configuration in force there.
        meta: SnapshotMeta,
    },
    /// A voter that refuses a pre-vote for its log alone, and hears no leader either, says where that log ends. Owed: nothing.
    Ahead {
        /// The voter's term.
        term: Term,
        /// Echoed from the request.
        proposed: Term,
        /// Where the voter's log ends.
        last: Position,
    },
    /// A node that could win but for its log asks a voter that is ahead for what follows, once its own term is durable. Owed:
    /// [`Message::PullReply`].
    Pull {
        /// The sender's term.
        term: Term,
        /// Where the sender's log ends, or the last position at which the logs may still agree.
        after: Position,
    },
    /// The answer to [`Message::Pull`]: a piece of the voter's log.
    PullReply {
        /// The voter's term.
        term: Term,
        /// The position before the first entry.
        previous: Position,
        /// Where the voter's log ends.
        last: Position,
        /// Consecutive entries after `previous`.
        entries: Entries,
    },
    /// A follower that is preferred to its leader asks every other voter whether it follows the same one (`priority.rs`). Promises
    /// nothing. Owed: [`Message::CanvassReply`], by whoever does.
    Canvass {
        /// The sender's term.
        term: Term,
        /// The sender's disk.
        voice: Voice,
    },
    /// The answer to [`Message::Canvass`]: the sender leads, or follows a leader, in that term.
    CanvassReply {
        /// The sender's term, which is that of the question.
        term: Term,
        /// The sender's priority.
        priority: u32,
        /// The sender's disk.
        voice: Voice,
    },
    /// A follower that a quorum hears asks its leader, whose priority is lower, for its place. Owed: nothing.
    Claim {
        /// The sender's term.
        term: Term,
        /// The sender's priority.
        priority: u32,
    },
    /// The leader asks a peer whose log is complete to campaign at once (dissertation §3.10). Owed: nothing.
    TimeoutNow {
        /// The leader's term.
        term: Term,
        /// Where the leader's log ends; a peer whose log does not reach it does not campaign.
        last: Position,
    },
}

/// How an append ended at the follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppendResult {
    /// The logs agree up to this index, durably at the follower.
    Matched(LogIndex),
    /// The follower does not have the position that was presumed.
    Conflict {
        /// The index of that position.
        rejected: LogIndex,
        /// The last position of the follower's log at which the logs may still agree.
        hint: Position,
    },
    /// The logs agree up to this index; the follower has no room for what came after it.
    NoSpace(LogIndex),
    /// The request was of an earlier term than the sender's.
    Stale,
}

impl AppendResult {
    /// Whether this says all that the other one does.
    fn includes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Matched(index), Self::Matched(less)) | (Self::NoSpace(index), Self::NoSpace(less)) => {
                index >= less
            }
            (Self::Conflict { .. } | Self::Stale | Self::Matched(_) | Self::NoSpace(_), _) => self == other,
        }
    }
}

impl Message {
    /// Whether a peer that hears this need not hear the other: acknowledgements are cumulative, and any message may be lost or come twice.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let mut like = other.clone();
        match (self, &mut like) {
            (Self::AppendReply { result: mine, .. }, Self::AppendReply { result, .. })
                if mine.includes(*result) =>
            {
                *result = *mine;
            }
            (Self::HeartbeatReply { round: mine, .. }, Self::HeartbeatReply { round, .. })
                if mine >= round =>
            {
                *round = *mine;
            }
            _ => {}
        }
        *self == like
    }

    /// The term the sender is in, where the message says it.
    #[must_use]
    pub const fn term(&self) -> Option<Term> {
        match self {
            Self::PreVote { .. } | Self::Dismissed { .. } => None,
            Self::PreVoteReply { term, .. }
            | Self::Vote { term, .. }
            | Self::VoteReply { term, .. }
            | Self::Append { term, .. }
            | Self::AppendReply { term, .. }
            | Self::Heartbeat { term, .. }
            | Self::HeartbeatReply { term, .. }
            | Self::Sleep { term, .. }
            | Self::SleepReply { term, .. }
            | Self::Snapshot { term, .. }
            | Self::Lend { term, .. }
            | Self::Lent { term, .. }
            | Self::Anchor { term, .. }
            | Self::Ahead { term, .. }
            | Self::Pull { term, .. }
            | Self::PullReply { term, .. }
            | Self::Canvass { term, .. }
            | Self::CanvassReply { term, .. }
            | Self::Claim { term, .. }
            | Self::TimeoutNow { term, .. } => Some(*term),
        }
    }
}
