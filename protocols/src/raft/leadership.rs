//! What only a leader holds: its peers' progress, and the reads and changes that wait.
//!
//! Not the deeds of a leader; they stand in `replication`, `read` and `transfer`.

use std::collections::{BTreeMap, VecDeque};

use crate::raft::membership::{Member, Membership};
use crate::raft::message::Epoch;
use crate::raft::progress::Progress;
use crate::raft::promises::Lease;
use crate::roll::Roll;
use crate::types::{LogIndex, NodeId, StoreId, Timestamp, Token};

/// One term of office.
#[derive(Clone, Debug)]
pub(super) struct Leadership {
    /// This node and its disk.
    pub(super) own: (NodeId, StoreId),
    /// The entry with which this term began; once it is committed, the commit index is up to date (dissertation §6.4).
    pub(super) first: LogIndex,
    /// The other members, and the voters that are being left.
    pub(super) progress: Roll<NodeId, Progress>,
    /// Whether there is a witness among them.
    pub(super) has_witness: bool,
    /// Who is to send snapshots in this node's stead.
    pub(super) lender: Option<NodeId>,
    /// Who waits for a change of members.
    pub(super) changer: Option<Token>,
    /// Members that speak from another disk than the configuration's, and whether they ask to be taken in anew.
    pub(super) strangers: BTreeMap<NodeId, Stranger>,
    /// Reads that wait.
    pub(super) reads: Reads,
    /// What lets reads be answered without a round.
    pub(super) lease: Lease,
    last_epoch: Epoch,
}

/// A member's name on another disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stranger {
    pub(super) store: StoreId,
    pub(super) rejoin: bool,
}

/// Reads on their way to an answer: fresh, then in a round, then confirmed; or, under a lease, without a round.
#[derive(Clone, Debug, Default)]
pub(super) struct Reads {
    /// Not part of a round yet.
    pub(super) fresh: Vec<Token>,
    /// Not part of a round yet, and asked for with one, lease or not.
    pub(super) insistent: Vec<Token>,
    /// Reads under the lease that wait until the application is that far, lowest index first.
    pub(super) leased: VecDeque<(LogIndex, Vec<Token>)>,
    /// Rounds that wait for a quorum, oldest first.
    pub(super) rounds: VecDeque<Round>,
    /// Confirmed reads that wait until the application is that far, lowest index first.
    pub(super) confirmed: VecDeque<(LogIndex, Vec<Token>)>,
    /// How many reads wait.
    pub(super) count: usize,
    /// The number of the last round; made by the leader, never by a client (RT-12).
    pub(super) last_round: u64,
}

/// Reads that share one confirmation.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub(super) number: u64,
    /// The commit index when the round began.
    pub(super) index: LogIndex,
    pub(super) tokens: Vec<Token>,
}

impl Leadership {
    /// A term of office that begins with the entry `first`.
    pub(super) fn new(own: (NodeId, StoreId), first: LogIndex) -> Self {
        Self {
            own,
            first,
            progress: Roll::default(),
            has_witness: false,
            lender: None,
            changer: None,
            strangers: BTreeMap::new(),
            reads: Reads::default(),
            lease: Lease::default(),
            last_epoch: Epoch::default(),
        }
    }

    /// Starts a replication to `peer` under a name of its own, also when the peer had one before (RT-22).
    pub(super) fn add(&mut self, peer: NodeId, member: Member, next: LogIndex, now: Timestamp) {
        self.last_epoch = Epoch(self.last_epoch.0 + 1);
        self.progress.insert(peer, Progress::new(self.last_epoch, member, next, now));
    }

    /// Replicates to the others of `membership` and to nobody else. A peer whose disk or duty is another one is another peer.
    pub(super) fn attend(&mut self, own: NodeId, membership: &Membership, next: LogIndex, now: Timestamp) {
        let everyone = membership.everyone();
        self.progress.retain(|peer, _| everyone.contains_key(peer));
        for (peer, member) in everyone.into_iter().filter(|&(peer, _)| peer != own) {
            match self.progress.get_mut(&peer) {
                Some(progress) if progress.is_same_disk(member) => progress.member = member,
                Some(_) | None => self.add(peer, member, next, now),
            }
        }
        self.has_witness = self.progress.values().any(|peer| !peer.member.duty.holds_data());
        self.strangers.retain(|peer, stranger| {
            self.progress.get(peer).is_some_and(|progress| progress.member.store != Some(stranger.store))
        });
    }

    /// Everyone who waits for this leader, except for proposals.
    pub(super) fn drain(&mut self) -> Vec<Token> {
        self.reads.drain().into_iter().chain(self.changer.take()).collect()
    }

    /// What each peer holds durably.
    pub(super) fn matched(&self) -> BTreeMap<NodeId, LogIndex> {
        self.progress.iter().map(|(&peer, progress)| (peer, progress.matched)).collect()
    }
}

impl Reads {
    /// Whether somebody waits for a flush.
    pub(super) fn wait(&self) -> bool {
        !self.fresh.is_empty() || !self.insistent.is_empty()
    }

    /// Every token that waits, wherever it is.
    pub(super) fn drain(&mut self) -> Vec<Token> {
        let mut tokens = std::mem::take(&mut self.fresh);
        tokens.append(&mut self.insistent);
        tokens.extend(self.leased.drain(..).flat_map(|(_, tokens)| tokens));
        tokens.extend(self.rounds.drain(..).flat_map(|round| round.tokens));
        tokens.extend(self.confirmed.drain(..).flat_map(|(_, tokens)| tokens));
        self.count = 0;
        tokens
    }
}
