//! How a Raft machine stands, as told to observers: role, status, events.
//!
//! Not the state itself: everything here is a copy.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::raft::membership::Membership;
use crate::types::{LogIndex, NodeId, StoreId, Term};

/// What part a machine plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Follows a leader, or waits for one.
    Follower,
    /// Asks whether it could win an election.
    PreCandidate,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
}

/// A machine at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// This node.
    pub id: NodeId,
    /// Its part.
    pub role: Role,
    /// Its term.
    pub term: Term,
    /// Whom it takes for the leader of that term.
    pub leader: Option<NodeId>,
    /// Whom it voted for in that term.
    pub vote: Option<NodeId>,
    /// The last index it knows to be committed.
    pub commit: LogIndex,
    /// The last index whose effect the application reported.
    pub applied: LogIndex,
    /// The last index of its log, durable or not.
    pub last_index: LogIndex,
    /// The first index of its log; one above `last_index` when the log is empty.
    pub first_index: LogIndex,
    /// The last index of its newest snapshot. While a received snapshot is being installed, `first_index` runs ahead of it.
    pub snapshot_index: LogIndex,
    /// The last index that is durable on this node's own disk.
    pub durable_index: LogIndex,
    /// The configuration in force, committed or not.
    pub membership: Membership,
    /// The index of the entry that carries it.
    pub membership_index: LogIndex,
    /// The voters of the configuration in force, of both sets while it is joint.
    pub voters: BTreeSet<NodeId>,
    /// What each other member is known to hold durably; empty unless this node leads.
    pub match_index: BTreeMap<NodeId, LogIndex>,
}

/// Something observers may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The role, the term or the known leader changed.
    RoleChanged {
        /// The part played from here on.
        role: Role,
        /// The term.
        term: Term,
        /// The leader, if known.
        leader: Option<NodeId>,
    },
    /// The leader has this node's word for entries that it does not hold (RT-23): its disk was replaced, as it is when a damaged
    /// log is, or set back. Told once.
    Reverted {
        /// Where this node's log ends.
        last: LogIndex,
        /// What it had acknowledged, at least.
        acknowledged: LogIndex,
        /// Whether the configuration names this very disk: then it was set back. The group counted on those entries, and on votes
        /// that are forgotten too. The word of any other disk does not count until it is taken in.
        named: bool,
    },
    /// Another configuration is in force; it may not be committed yet.
    MembershipChanged {
        /// The entry that carries it, or the snapshot's last index.
        index: LogIndex,
        /// The configuration.
        membership: Box<Membership>,
    },
    /// A member speaks from another disk than the one the group knows; its word does not count. Told once per disk and term.
    Stranger {
        /// The member.
        node: NodeId,
        /// The disk from which it speaks.
        store: StoreId,
        /// Whether it asks to be taken in anew.
        rejoin: bool,
    },
    /// A peer sent what it must not; it was ignored.
    Rejected {
        /// The peer.
        from: NodeId,
        /// What was wrong.
        reason: Rejection,
    },
    /// The application's state was replaced by a snapshot from the leader.
    SnapshotInstalled {
        /// The last index it contains.
        index: LogIndex,
    },
}

/// What is wrong with a peer's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Rejection {
    /// It carries commands without their bytes, which only a witness may be sent.
    #[error("it withholds the commands")]
    Withheld,
    /// Another node leads in the message's term.
    #[error("another node leads in that term")]
    SecondLeader,
    /// Its entries are not consecutive, or their terms or times decrease.
    #[error("the entries are not in order")]
    Disordered,
    /// It contradicts an entry that is committed here.
    #[error("it contradicts a committed entry")]
    ContradictsCommit,
    /// It acknowledges what was never sent.
    #[error("it acknowledges what was never sent")]
    Unsent,
    /// A snapshot came without its message or with an unreadable configuration.
    #[error("the snapshot cannot be used")]
    BadSnapshot,
    /// It names a term to which no campaigns can have led.
    #[error("its term is beyond reach")]
    TermBeyondReach,
    /// An entry carries a configuration that cannot be read.
    #[error("the configuration cannot be read")]
    BadConfiguration,
}
