//! One simulated node: a process that lives and dies, and the disk that outlives it.
//!
//! Holds state only; `world.rs` and `drive.rs` move it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::protocol::{Effect, Outbox};
use crate::sim::clock::Clock;
use crate::sim::disk::Disk;
use crate::sim::event::{Arrival, Job};
use crate::sim::image::{Image, Snapshot};
use crate::sim::subject::Subject;
use crate::types::{LogIndex, NodeId, StoreId, Timestamp, WriteId};

/// A node of a simulated world.
#[derive(Clone, Debug)]
pub struct Node<P: Subject, A> {
    pub(super) id: NodeId,
    pub(super) config: P::Config,
    pub(super) life: u64,
    pub(super) disk: Disk<P>,
    /// The identity of the disk.
    pub(super) store: StoreId,
    /// Whether the disk is known not to be the one it was.
    pub(super) rejoin: bool,
    /// What was durable on the disks that were lost, for those who judge what was promised.
    pub(super) lost: Vec<(StoreId, Image<P>)>,
    /// Whether the process is to die during its next write, and for how long.
    pub(super) dies_in_write: Option<Duration>,
    /// Whether the node stays broken for ever.
    pub(super) retired: bool,
    pub(super) process: Option<Process<P, A>>,
}

/// What a node loses when it crashes.
#[derive(Clone, Debug)]
pub(super) struct Process<P: Subject, A> {
    pub(super) machine: P,
    /// Whether the machine was seen to lead.
    pub(super) leads: bool,
    pub(super) outbox: Outbox<P>,
    pub(super) clock: Clock,
    /// For which world time a timer event is in the queue.
    pub(super) armed: Option<Timestamp>,
    /// Up to which write the machine's promises may be heard.
    pub(super) durable: WriteId,
    /// Sends, replies and events that wait for a write, in order.
    pub(super) gated: VecDeque<Effect<P>>,
    pub(super) application: A,
    pub(super) applied: LogIndex,
    pub(super) jobs: VecDeque<Job>,
    pub(super) received: BTreeMap<NodeId, Snapshot>,
    /// The peers of whose silence the machine wants to hear.
    pub(super) watched: BTreeSet<NodeId>,
    pub(super) paused_until: Option<Timestamp>,
    pub(super) backlog: Vec<Arrival<P>>,
}

impl<P: Subject, A> Process<P, A> {
    /// A process that has just started, with what it found on its disk.
    pub(super) fn new(machine: P, clock: Clock, application: A, applied: LogIndex) -> Self {
        Self {
            machine,
            leads: false,
            outbox: Outbox::default(),
            clock,
            armed: None,
            durable: WriteId::ZERO,
            gated: VecDeque::new(),
            application,
            applied,
            jobs: VecDeque::new(),
            received: BTreeMap::new(),
            watched: BTreeSet::new(),
            paused_until: None,
            backlog: Vec::new(),
        }
    }
}

impl<P: Subject, A> Node<P, A> {
    /// A node whose process was never started, on an empty disk.
    pub(super) fn new(id: NodeId, config: P::Config, disk: Disk<P>, store: StoreId) -> Self {
        Self {
            id,
            config,
            life: 0,
            disk,
            store,
            rejoin: false,
            lost: Vec::new(),
            process: None,
            dies_in_write: None,
            retired: false,
        }
    }

    /// The node's id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The identity of its disk.
    #[must_use]
    pub fn store(&self) -> StoreId {
        self.store
    }

    /// Whether this is not its first disk.
    #[must_use]
    pub fn has_lost_a_disk(&self) -> bool {
        !self.lost.is_empty()
    }

    /// What is or was durable on the disk of that identity, or on the present one where none is named; `None` when the node never
    /// had that disk.
    #[must_use]
    pub fn durable_on(&self, store: Option<StoreId>) -> Option<&Image<P>> {
        if store.is_none_or(|store| store == self.store) {
            return Some(self.disk.durable());
        }
        self.lost.iter().find(|(lost, _)| Some(*lost) == store).map(|(_, image)| image)
    }

    /// The machine, while the process lives.
    #[must_use]
    pub fn machine(&self) -> Option<&P> {
        self.process.as_ref().map(|process| &process.machine)
    }

    /// The application, while the process lives.
    #[must_use]
    pub fn application(&self) -> Option<&A> {
        self.process.as_ref().map(|process| &process.application)
    }

    /// The last entry that took effect on the application; zero while the process is dead.
    #[must_use]
    pub fn applied(&self) -> LogIndex {
        self.process.as_ref().map_or(LogIndex::ZERO, |process| process.applied)
    }

    /// The disk.
    #[must_use]
    pub fn disk(&self) -> &Disk<P> {
        &self.disk
    }

    /// How often the process was started.
    #[must_use]
    pub fn life(&self) -> u64 {
        self.life
    }

    /// Whether the process lives.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// Whether the process lives but does nothing.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.paused_until.is_some())
    }

    /// Whether the process lives, acts, its disk takes writes, and it was not left behind when the world came to peace.
    #[must_use]
    pub fn is_well(&self) -> bool {
        !self.retired && self.is_up() && !self.is_paused() && !self.disk.has_failed()
    }
}
