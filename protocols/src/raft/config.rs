//! What a Raft machine has to be told: who it is, with whom it agrees, how patient it is, and how much it may hold.
//!
//! Not membership in force: `voters` counts at the first start only; afterwards the disk knows better.

use std::collections::BTreeSet;
use std::time::Duration;

use thiserror::Error;

use crate::raft::membership::{MembersError, Membership, check};
use crate::types::{LogIndex, NodeId, StoreId};

/// The settings of one Raft machine. Start from [`Config::lan`], [`Config::wan`] or [`Config::sim`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Config {
    /// This node.
    pub id: NodeId,
    /// The voters of a group that starts for the first time, the same set on every node. Ignored once a configuration is on disk.
    /// Empty on a node that waits to be taken into a group.
    pub voters: BTreeSet<NodeId>,
    /// Those among `voters` that are witnesses.
    pub witnesses: BTreeSet<NodeId>,
    /// Whether this node is a witness wherever it is a member: it keeps terms and positions and no data.
    pub witness: bool,
    /// This node's disk; zero when it has no identity, and then a wiped disk is not recognised.
    pub store: StoreId,
    /// Whether this disk is not the one it was, so that the group has to take this node in anew before its word counts.
    pub rejoin: bool,
    /// How long a follower hears nothing before it campaigns; each wait is drawn from `[t, 2t)` unless
    /// `election_spread` says otherwise. Also how long a leader stays
    /// in office without hearing from a quorum. Ten or more round trips plus the longest pause one wants to live through.
    pub election_timeout: Duration,
    /// How much longer than `election_timeout` the drawn wait may be; as long again when `None`, which avoids split votes well. Less
    /// only in experiments about them.
    pub election_spread: Option<Duration>,
    /// How often an otherwise silent leader speaks. A fifth of the election timeout or less, so that losses do no harm.
    pub heartbeat_interval: Duration,
    /// Entries in one append at most.
    pub max_append_entries: usize,
    /// Bytes of entries in one append; one entry always fits. Keep it below the transport's frame limit.
    pub max_append_bytes: usize,
    /// The largest entry in bytes; larger proposals are refused. Far below what the transport carries as one message: an entry
    /// that no peer can receive would stand in the way of all later ones for ever.
    pub max_entry_bytes: usize,
    /// Appends to one peer that may be unacknowledged at a time.
    pub max_inflight_appends: usize,
    /// Bytes of entries to one peer that may be unacknowledged at a time; one append always fits. Bandwidth times round trip.
    pub max_inflight_bytes: usize,
    /// Bytes of proposals that wait for their effect, and bytes of entries that wait for the leader's own disk; beyond it the
    /// leader refuses with `Busy`.
    pub max_uncommitted_bytes: usize,
    /// Bytes of durable entries kept in memory for peers and for applying; older ones are read back from the log.
    pub cache_bytes: usize,
    /// Take a snapshot after this many applied entries, or after as many bytes of them as the last snapshot had if that is later, at the
    /// latest after ten times this many.
    pub snapshot_entries: u64,
    /// Take a snapshot after this many bytes of applied entries, or as many as the last snapshot had if that is more.
    pub snapshot_bytes: u64,
    /// Take a snapshot once so much log time has passed since the last one and something was applied; zero for never by time.
    pub snapshot_interval: Duration,
    /// Entries kept below a snapshot, so that a peer that is a little behind needs no snapshot.
    pub keep_entries: u64,
    /// How long a group has nothing to do before it sleeps: its machines then say nothing and want to be called at no time, as long as
    /// the nodes they rely on are watched by whoever drives them. Ten heartbeats or more, so that a group that is used now and
    /// then need not be woken each time. `None` for groups that never sleep.
    pub hibernate_after: Option<Duration>,
    /// Ask whether an election could be won before starting one (dissertation §9.6). Off only in tests of its absence.
    pub pre_vote: bool,
    /// Leaders that do not hear from a quorum step down, and who hears a leader grants no vote (dissertation §6.2, §4.2.3).
    /// Off only in tests of its absence.
    pub check_quorum: bool,
    /// Whether a leader asks a follower to send its snapshot to whoever needs one, and sends its own only when that does not help.
    pub lend_snapshots: bool,
    /// A node that reaches a quorum without a leader, but lacks entries that others have, fetches them before it campaigns
    /// (`catch_up.rs`). Needs `pre_vote` and `check_quorum`; without them it does nothing.
    pub catch_up: bool,
    /// Read under a lease: a leader answers without a round while a quorum has promised to elect nobody else (`lease.rs`). Linearizable only
    /// as long as clocks keep to `clock_drift_ppm`. A leader uses the promises of voters that have it on too; a node that starts
    /// abstains from elections for an election timeout. Before it is turned off, or `election_timeout` made shorter, let a node be
    /// down for an election timeout.
    pub lease_reads: bool,
    /// How much this node is preferred as a leader: one with a higher priority asks whoever leads to hand over, once it knows that a
    /// quorum would follow it (`priority.rs`). Zero, the default, for a node that never asks. Elections take no notice of it: the last
    /// node that can win leads, whatever its priority. Who shall never lead is a witness or a learner.
    pub priority: u32,
    /// By how many millionths every node's clock may run faster or slower than true time, where reads trust leases. Crystals stay within
    /// 200 and what sets them by a time server within 500 more; the default is ten thousand, one part in a hundred.
    pub clock_drift_ppm: u32,
}

/// Why a [`Config`] cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The founding voters cannot be a group.
    #[error("the voters cannot be a group: {0}")]
    Founders(MembersError),
    /// This node is told to be a witness and not to be one.
    #[error("this node is listed {}among the witnesses and told {}to be one", if *listed { "" } else { "not " }, if *listed { "not " } else { "" })]
    Witness {
        /// Whether `witnesses` contains it.
        listed: bool,
    },
    /// A timeout that is not longer than the heartbeat deposes every leader.
    #[error("election_timeout ({election:?}) must be at least twice heartbeat_interval ({heartbeat:?})")]
    Impatient {
        /// The election timeout given.
        election: Duration,
        /// The heartbeat interval given.
        heartbeat: Duration,
    },
    /// A limit of zero lets nothing happen.
    #[error("{0} must not be zero")]
    Zero(&'static str),
    /// Clocks of which nothing is known bear no lease.
    #[error("clock_drift_ppm ({0}) must be less than a million")]
    Drift(u32),
}

impl Config {
    /// For nodes in one building: half a second without a leader is long.
    #[must_use]
    pub fn lan(id: NodeId, voters: BTreeSet<NodeId>) -> Self {
        Self {
            id,
            voters,
            witnesses: BTreeSet::new(),
            witness: false,
            store: StoreId::ZERO,
            rejoin: false,
            election_timeout: Duration::from_millis(500),
            election_spread: None,
            heartbeat_interval: Duration::from_millis(100),
            max_append_entries: 4096,
            max_append_bytes: 512 << 10,
            max_entry_bytes: 8 << 20,
            max_inflight_appends: 64,
            max_inflight_bytes: 8 << 20,
            max_uncommitted_bytes: 64 << 20,
            cache_bytes: 32 << 20,
            snapshot_entries: 100_000,
            snapshot_bytes: 256 << 20,
            snapshot_interval: Duration::ZERO,
            keep_entries: 10_000,
            hibernate_after: None,
            pre_vote: true,
            check_quorum: true,
            catch_up: false,
            lend_snapshots: true,
            lease_reads: false,
            priority: 0,
            clock_drift_ppm: 10_000,
        }
    }

    /// For nodes on several continents: round trips of up to 300 ms.
    #[must_use]
    pub fn wan(id: NodeId, voters: BTreeSet<NodeId>) -> Self {
        Self {
            election_timeout: Duration::from_secs(3),
            heartbeat_interval: Duration::from_millis(500),
            max_inflight_appends: 256,
            max_inflight_bytes: 64 << 20,
            ..Self::lan(id, voters)
        }
    }

    /// For simulation: limits so small that every one of them is met within seconds.
    #[must_use]
    pub fn sim(id: NodeId, voters: BTreeSet<NodeId>) -> Self {
        Self {
            election_timeout: Duration::from_millis(300),
            heartbeat_interval: Duration::from_millis(60),
            max_append_entries: 32,
            max_append_bytes: 4 << 10,
            max_inflight_appends: 8,
            max_inflight_bytes: 16 << 10,
            max_uncommitted_bytes: 64 << 10,
            cache_bytes: 8 << 10,
            snapshot_entries: 300,
            snapshot_bytes: 64 << 10,
            keep_entries: 50,
            ..Self::lan(id, voters)
        }
    }

    /// Checks that a machine can run with these settings. Changes nothing.
    ///
    /// # Errors
    /// The first setting found with which no group would work.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !self.voters.is_empty() {
            let founding = Membership::founding(&self.voters, &self.witnesses);
            check(founding.members()).map_err(ConfigError::Founders)?;
        }
        let listed = self.witnesses.contains(&self.id);
        if self.voters.contains(&self.id) && listed != self.witness {
            return Err(ConfigError::Witness { listed });
        }
        let zeros = [
            ("heartbeat_interval", self.heartbeat_interval.is_zero()),
            ("max_append_entries", self.max_append_entries == 0),
            ("max_append_bytes", self.max_append_bytes == 0),
            ("max_entry_bytes", self.max_entry_bytes == 0),
            ("max_inflight_appends", self.max_inflight_appends == 0),
            ("max_inflight_bytes", self.max_inflight_bytes == 0),
            ("max_uncommitted_bytes", self.max_uncommitted_bytes == 0),
            ("snapshot_entries", self.snapshot_entries == 0),
            ("snapshot_bytes", self.snapshot_bytes == 0),
            ("hibernate_after", self.hibernate_after.is_some_and(|after| after.is_zero())),
        ];
        if let Some((name, _)) = zeros.iter().find(|(_, zero)| *zero) {
            return Err(ConfigError::Zero(name));
        }
        if self.election_timeout < self.heartbeat_interval * 2 {
            return Err(ConfigError::Impatient {
                election: self.election_timeout,
                heartbeat: self.heartbeat_interval,
            });
        }
        if self.lease_reads && self.clock_drift_ppm >= 1_000_000 {
            return Err(ConfigError::Drift(self.clock_drift_ppm));
        }
        Ok(())
    }

    /// The last entry that an append can hold which begins with this one.
    pub(super) fn append_end(&self, from: LogIndex) -> LogIndex {
        LogIndex(from.0.saturating_add(self.max_append_entries as u64).saturating_sub(1))
    }
}
