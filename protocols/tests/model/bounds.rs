//! How much of the world a check takes in: every number here is a limit on what may happen, not on what is looked at.

use std::collections::BTreeSet;
use std::time::Duration;

use synod_protocols::raft::Config;
use synod_protocols::{NodeId, Term};

use crate::node::Disk;

/// The limits of one check.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// What the check is called.
    pub(crate) name: &'static str,
    /// Nodes, all of them voters.
    pub(crate) nodes: u64,
    /// No node campaigns for a term above this one.
    pub(crate) terms: u64,
    /// Proposals in all.
    pub(crate) proposals: u8,
    /// Crashes in all; each loses what was not synced, and the node is back at once.
    pub(crate) crashes: u8,
    /// Whether a write becomes durable at a moment of its own, apart from everything else that happens.
    pub(crate) slow_disks: bool,
    /// Whether nodes ask before they campaign, withhold votes from whoever does not hear their leader, and leaders without a
    /// quorum give up. Without them there are more elections, so that fewer states show more of what is safe.
    pub(crate) manners: bool,
    /// Whether leaders send heartbeats.
    pub(crate) heartbeats: bool,
    /// Whether nodes that are behind catch up before they campaign.
    pub(crate) catch_up: bool,
    /// Who campaigns; everybody when empty.
    pub(crate) stand: &'static [u64],
    /// A leader and a follower, where the check begins with the one elected by the other, which has confirmed what they both held
    /// and nothing since. Nobody else has heard of it.
    pub(crate) opening: Option<(u64, u64)>,
    /// Entries in one append at most.
    pub(crate) batch: usize,
    /// What the disks hold at the start: term, vote, and the terms of the entries, node by node. Nothing for empty disks.
    pub(crate) disks: &'static [(u64, u64, &'static [u64])],
}

/// Three nodes that have never met, well-behaved disks, nothing but elections.
const CALM: Bounds = Bounds {
    name: "calm",
    nodes: 3,
    terms: 2,
    proposals: 0,
    crashes: 0,
    slow_disks: false,
    manners: false,
    heartbeats: false,
    catch_up: false,
    stand: &[],
    opening: None,
    batch: 32,
    disks: &[],
};

/// What `cargo test` checks: each in seconds.
pub(crate) const QUICK: [Bounds; 5] = [
    Bounds { name: "hub", stand: &[2], ..HUB },
    Bounds { name: "log", proposals: 1, ..CALM },
    Bounds { name: "crash", crashes: 1, ..CALM },
    Bounds { name: "disk", terms: 1, slow_disks: true, crashes: 1, ..CALM },
    Bounds { name: "manners", terms: 1, manners: true, heartbeats: true, ..CALM },
];

/// The second node's log agrees with the first's, who leads; the third led before, and its entry is of a later term than theirs.
const HUB: Bounds = Bounds {
    terms: 5,
    manners: true,
    heartbeats: true,
    catch_up: true,
    opening: Some((1, 2)),
    batch: 1,
    disks: &[(3, 1, &[1]), (3, 1, &[1]), (2, 3, &[2])],
    ..CALM
};

/// What takes minutes to hours.
pub(crate) const DEEP: [Bounds; 12] = [
    Bounds { name: "hub-deep", stand: &[2], ..HUB },
    Bounds { name: "hub-all", ..HUB },
    Bounds { name: "catch-up", manners: true, catch_up: true, ..CALM },
    // Figure 8 of the paper, in the moment before the first leader leads again.
    Bounds {
        name: "figure-8",
        terms: 4,
        batch: 1,
        disks: &[(2, 0, &[1]), (2, 3, &[]), (2, 3, &[2])],
        ..CALM
    },
    Bounds { name: "two-terms-disk", slow_disks: true, ..CALM },
    Bounds { name: "two-terms-manners", manners: true, ..CALM },
    Bounds { name: "log-crash", proposals: 1, crashes: 1, ..CALM },
    Bounds { name: "log-disk", proposals: 1, slow_disks: true, ..CALM },
    Bounds { name: "disk-crash", slow_disks: true, crashes: 1, ..CALM },
    Bounds { name: "log-heartbeats", proposals: 1, heartbeats: true, ..CALM },
    Bounds { name: "log-manners", proposals: 1, manners: true, ..CALM },
    Bounds { name: "three-terms", terms: 3, ..CALM },
];

impl Bounds {
    /// The settings of one node.
    pub(crate) fn config(&self, id: NodeId) -> Config {
        let voters: BTreeSet<NodeId> = self.ids().collect();
        Config {
            pre_vote: self.manners,
            check_quorum: self.manners,
            catch_up: self.catch_up,
            max_append_entries: self.batch,
            // Nothing is read back from the disk but what a node finds there when it starts, and no snapshot is taken.
            cache_bytes: 1 << 20,
            snapshot_entries: 1 << 20,
            ..Config::sim(id, voters)
        }
    }

    /// The nodes.
    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..=self.nodes).map(NodeId)
    }

    /// Whether only some campaign: then whoever is asked has heard no leader for long, and a leader stays for as long as it can.
    pub(crate) fn is_focused(&self) -> bool {
        !self.stand.is_empty()
    }

    /// What a node's disk holds at the start.
    pub(crate) fn disk(&self, id: NodeId) -> Disk {
        let Some((term, vote, entries)) = self.disks.get(id.0 as usize - 1) else { return Disk::default() };
        let vote = Some(NodeId(*vote)).filter(|vote| *vote != NodeId::ZERO);
        Disk::holding(Term(*term), vote, entries.iter().map(|term| Term(*term)))
    }

    /// Whether a node may campaign.
    pub(crate) fn stands(&self, id: NodeId) -> bool {
        self.stand.is_empty() || self.stand.contains(&id.0)
    }

    /// How many nodes decide.
    pub(crate) fn quorum(&self) -> usize {
        self.nodes as usize / 2 + 1
    }

    /// So late that no leader was heard for long.
    pub(crate) fn late(&self) -> Duration {
        self.config(NodeId(1)).election_timeout * 2
    }

    /// When a heartbeat is due, and a quorum was heard just before.
    pub(crate) fn beat(&self) -> Duration {
        self.config(NodeId(1)).heartbeat_interval
    }
}
