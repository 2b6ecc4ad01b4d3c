//! One machine at its driver, with what the driver keeps for it.
//!
//! What is done with it stands in the driver's roles.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use synod_protocols::log::{Entries, SnapshotMeta};
use synod_protocols::{Effect, NodeId, Outbox, Protocol, Recovered, Token, WriteId};
use tokio::sync::{broadcast, oneshot};

use crate::driver::feed::{Answer, Uncreated};
use crate::driver::frozen::Frozen;
use crate::driver::gate::Gate;
use crate::driver::host::Host;
use crate::driver::seat::Seat;
use crate::driver::shipment::Transfers;

/// How many events an observer may lag behind before it misses some.
const EVENTS_HELD: usize = 1024;

/// One machine at its driver.
pub(crate) struct Hosted<P: Protocol> {
    pub(crate) seat: Seat,
    pub(crate) name: Arc<str>,
    pub(crate) machine: P,
    pub(crate) outbox: Outbox<P>,
    pub(crate) gate: Gate<P>,
    pub(crate) host: Box<dyn Host<P>>,
    /// To observers, once there was one: its room is worth many idle machines.
    events: Option<broadcast::Sender<P::Event>>,
    pub(crate) answers: BTreeMap<Token, Answer<P>>,
    pub(crate) last_token: Token,
    /// Effects that wait until a received snapshot is installed; the installation itself is the first of them until it begins.
    pub(crate) held: VecDeque<Effect<P>>,
    /// Whether an installation is under way.
    pub(crate) installing: bool,
    /// Entries that are to take effect before the turn ends.
    pub(crate) committed: Vec<Entries>,
    /// A frozen state that becomes a snapshot once the write is durable.
    pub(crate) freezing: Option<Box<(WriteId, SnapshotMeta, Frozen)>>,
    /// Whether its writes have failed: it writes nothing any more.
    pub(crate) failed: bool,
    /// From the first snapshot on that it sends or receives.
    transfers: Option<Box<Transfers>>,
}

impl<P: Protocol> Hosted<P> {
    pub(crate) fn new(seat: Seat, name: Arc<str>, machine: P, host: Box<dyn Host<P>>) -> Self {
        Self {
            seat,
            name,
            machine,
            outbox: Outbox::default(),
            gate: Gate::new(),
            host,
            events: None,
            answers: BTreeMap::new(),
            last_token: Token::ZERO,
            held: VecDeque::new(),
            installing: false,
            committed: Vec::new(),
            freezing: None,
            failed: false,
            transfers: None,
        }
    }

    /// A token for a question, of which the answer goes to `answer`.
    pub(crate) fn ask(&mut self, answer: Answer<P>) -> Token {
        self.last_token = self.last_token.next();
        self.answers.insert(self.last_token, answer);
        self.last_token
    }

    /// The machine's events from here on.
    pub(crate) fn observe(&mut self) -> broadcast::Receiver<P::Event> {
        self.events.get_or_insert_with(|| broadcast::channel(EVENTS_HELD).0).subscribe()
    }

    /// Tells observers. When nobody listens any more, the channel goes until somebody does.
    pub(crate) fn tell(&mut self, event: P::Event) {
        self.events.take_if(|events| events.send(event).is_err());
    }

    /// Gives back the room of queues that are empty: the machine expects nothing for long.
    pub(crate) fn rest(&mut self) {
        self.gate.shrink();
        self.held.shrink_to_fit();
    }

    /// The machine's snapshots on their way.
    pub(crate) fn transfers(&mut self) -> &mut Transfers {
        self.transfers.get_or_insert_default()
    }

    /// Whether a snapshot from this peer waits for the machine's decision or to be installed. Another one would take its place.
    pub(crate) fn has_snapshot_of(&self, peer: NodeId) -> bool {
        let is_its =
            |effect: &Effect<P>| matches!(effect, Effect::InstallSnapshot { from, .. } if *from == peer);
        self.transfers.as_ref().is_some_and(|transfers| transfers.is_whole(peer))
            || self.held.iter().any(is_its)
    }
}

/// A machine that is about to be hosted.
pub(crate) struct Coming<P: Protocol> {
    pub(crate) name: Arc<str>,
    pub(crate) config: P::Config,
    pub(crate) recovered: Recovered<P::Record>,
    pub(crate) host: Box<dyn Host<P>>,
    pub(crate) done: oneshot::Sender<Result<(), Uncreated>>,
}
