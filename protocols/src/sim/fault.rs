//! Faults as data: what can be done to a simulated cluster, and how often each kind was asked for and took effect.
//!
//! Not the mechanism: `World::inject` carries a fault out, `Network` and `Disk` do the small ones by their own chance.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::sim::shape::Shape;
use crate::types::NodeId;

/// Something bad that is done to the cluster at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process dies; writes that were not synced may be lost.
    Crash(NodeId),
    /// The process dies while its next write is not synced yet, and starts again after a while.
    CrashInWrite(NodeId, Duration),
    /// A dead process starts again from its disk.
    Restart(NodeId),
    /// Every process dies at the same instant.
    PowerCut,
    /// The process does nothing for a while; what comes for it waits, and its clock goes on.
    Pause(NodeId, Duration),
    /// No messages between the two sides, in either direction.
    Partition(BTreeSet<NodeId>),
    /// Messages from these nodes to all others vanish; the other direction works.
    OneWayPartition(BTreeSet<NodeId>),
    /// Every cut ends, and paths are cut until only the shape's are left. Its first role falls to the leader of this instant, if
    /// there is one and the flag says so; the others fall to the nodes in their order.
    Shape {
        /// Which paths are left.
        shape: Shape,
        /// Who plays its roles.
        order: Vec<NodeId>,
        /// Whether the leader moves to the front.
        leader_first: bool,
    },
    /// Messages from the first node to the second vanish; the other direction works.
    OneWayCut(NodeId, NodeId),
    /// Two nodes do not hear each other, while both hear all others.
    PartialCut(NodeId, NodeId),
    /// Whoever leads at this instant hears and reaches nobody.
    IsolateLeader,
    /// For the first span, whoever comes to lead is struck within the second: it dies or is cut off, and is back a while later.
    /// Leaderships that end before they got far are where Raft's Figure 8 happens.
    Coups(Duration, Duration),
    /// The nodes are cut off one by one with the given gap, and healed one by one in another order.
    Swizzle {
        /// The order in which they are cut off.
        cut: Vec<NodeId>,
        /// The order in which they are healed.
        heal: Vec<NodeId>,
        /// The time between one and the next.
        gap: Duration,
    },
    /// Every cut ends.
    Heal,
    /// One node's cuts end, whoever they are with.
    HealNode(NodeId),
    /// One node is cut off from all others, as one stroke of a swizzle.
    CutOff(NodeId),
    /// The disk answers no sync for a while.
    Stall(NodeId, Duration),
    /// The disk takes this many times as long for everything, until it is healed.
    SlowDisk(NodeId, u32),
    /// The next sync fails.
    FailWrite(NodeId),
    /// The disk has no room for further records for a while.
    FillDisk(NodeId, Duration),
    /// A node's snapshots cannot be written for a while.
    FailSnapshots(NodeId, Duration),
    /// The process dies and its disk with it; it starts again on an empty one, which has another identity, if the others can go on
    /// without what is lost. The flag says whether the node knows that the disk is another: a disk that was found damaged is replaced
    /// by the node itself, an exchanged one just turns up.
    LoseDisk(NodeId, Duration, bool),
    /// For a while, reads of entries meet bad sectors, and sectors that hold what was written elsewhere.
    BadReads(NodeId, Duration),
}

/// The kinds of faults that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// A message vanished.
    Loss,
    /// A message came twice.
    Duplicate,
    /// A message overtook an earlier one.
    Reorder,
    /// A message was held back because its path was clogged.
    Clog,
    /// A message vanished because its path was full.
    Overflow,
    /// A symmetric partition.
    Partition,
    /// A partition of which one side is still heard by the other.
    OneWayPartition,
    /// A network of which only some paths are left.
    Shape,
    /// A cut of one direction.
    OneWayCut,
    /// A cut between two nodes that others still hear.
    PartialCut,
    /// The leader was cut off.
    IsolateLeader,
    /// A node was struck soon after it came to lead.
    Coup,
    /// Nodes were cut off one by one and healed in another order.
    Swizzle,
    /// A process died.
    Crash,
    /// A crash lost at least one write that was not synced.
    LostWrites,
    /// A crash cut a write in the middle.
    TornWrite,
    /// All processes died at once.
    PowerCut,
    /// A process did nothing for a while.
    Pause,
    /// A sync was held up.
    Stall,
    /// A disk was slower than the others.
    SlowDisk,
    /// A sync failed.
    WriteFailure,
    /// The disk had no room.
    DiskFull,
    /// A snapshot could not be written.
    SnapshotFailure,
    /// A disk was lost with all that was on it.
    LostDisk,
    /// Entries could not be read back, or others came instead.
    BadRead,
    /// The clock of a process ran fast or slow.
    ClockDrift,
    /// A datagram arrived with other bytes than it was sent with.
    Corruption,
    /// A path carried only smaller datagrams than before.
    NarrowPath,
}

impl FaultKind {
    /// Every kind, in the order of reports.
    pub const ALL: [Self; 28] = [
        Self::Loss,
        Self::Duplicate,
        Self::Reorder,
        Self::Clog,
        Self::Overflow,
        Self::Partition,
        Self::OneWayPartition,
        Self::Shape,
        Self::OneWayCut,
        Self::PartialCut,
        Self::IsolateLeader,
        Self::Coup,
        Self::Swizzle,
        Self::Crash,
        Self::LostWrites,
        Self::TornWrite,
        Self::PowerCut,
        Self::Pause,
        Self::Stall,
        Self::SlowDisk,
        Self::WriteFailure,
        Self::DiskFull,
        Self::SnapshotFailure,
        Self::LostDisk,
        Self::BadRead,
        Self::ClockDrift,
        Self::Corruption,
        Self::NarrowPath,
    ];

    /// The kinds that can strike machines alone, whose messages are no bytes: all but those of datagrams.
    pub fn of_machines() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| !matches!(kind, Self::Corruption | Self::NarrowPath))
    }

    /// The kind's name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Clog => "clog",
            Self::Overflow => "path full",
            Self::Partition => "partition",
            Self::OneWayPartition => "one-way partition",
            Self::Shape => "shape",
            Self::OneWayCut => "one-way cut",
            Self::PartialCut => "partial cut",
            Self::IsolateLeader => "isolate leader",
            Self::Coup => "coup",
            Self::Swizzle => "swizzle",
            Self::Crash => "crash",
            Self::LostWrites => "lost writes",
            Self::TornWrite => "torn write",
            Self::PowerCut => "power cut",
            Self::Pause => "pause",
            Self::Stall => "disk stall",
            Self::SlowDisk => "slow disk",
            Self::WriteFailure => "write failure",
            Self::DiskFull => "disk full",
            Self::SnapshotFailure => "snapshot failure",
            Self::LostDisk => "lost disk",
            Self::BadRead => "bad read",
            Self::ClockDrift => "clock drift",
            Self::Corruption => "corruption",
            Self::NarrowPath => "narrow path",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How often each kind of fault was asked for, and how often it had an effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: [Count; FaultKind::ALL.len()],
}

/// The two numbers of one kind of fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How often it was asked for, by a schedule or by chance.
    pub requested: u64,
    /// How often it had an effect.
    pub injected: u64,
}

impl Tally {
    /// Counts one that was asked for.
    pub fn request(&mut self, kind: FaultKind) {
        self.counts[kind as usize].requested += 1;
    }

    /// Counts one that had an effect.
    pub fn inject(&mut self, kind: FaultKind) {
        self.counts[kind as usize].injected += 1;
    }

    /// The numbers of one kind.
    #[must_use]
    pub fn count(&self, kind: FaultKind) -> Count {
        self.counts[kind as usize]
    }

    /// Adds what another run counted.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            mine.requested += theirs.requested;
            mine.injected += theirs.injected;
        }
    }
}
