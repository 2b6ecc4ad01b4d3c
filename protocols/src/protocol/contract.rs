//! The contract itself: the machine, what it hears, what it wants done, and where it puts that. Four nouns that define each other.
//!
//! No rule of any protocol, and nothing that carries an effect out.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::vec::Drain;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::log::{Entries, SnapshotMeta};
use crate::protocol::place::Placed;
use crate::protocol::records::Records;
use crate::protocol::recovered::Recovered;
use crate::types::{LogIndex, LogTime, NodeId, RequestId, SessionId, Timestamp, Token, WriteId};

/// A participant in a distributed protocol: same state, same inputs, same effects.
pub trait Protocol: Clone + Debug + Send + Sized + 'static {
    /// The protocol's name on the wire, on the disk and in metrics; stable for ever.
    const NAME: &'static str;

    /// Parsed and complete: the machine's own id, its peers, its limits.
    type Config: Clone + Debug + Send + 'static;
    /// Between nodes.
    type Message: Clone + Debug + Serialize + DeserializeOwned + Send + 'static;
    /// From this node's users, with a token.
    type Command: Clone + Debug + Send + 'static;
    /// The answer to a token, exactly one.
    type Reply: Clone + Debug + Send + 'static;
    /// To this node's observers.
    type Event: Clone + Debug + Send + 'static;
    /// To this node's disk.
    type Record: Clone + Debug + Serialize + DeserializeOwned + Placed + Send + 'static;

    /// A machine as it was when its last durable write was made; a first start recovers nothing.
    fn restore(config: Self::Config, seed: u64, recovered: Recovered<Self::Record>) -> Self;

    /// Takes one input and says what is to be done about it. Never panics on what a peer sent.
    fn handle(&mut self, now: Timestamp, input: Input<Self>, out: &mut Outbox<Self>);

    /// When the machine wants [`Input::Timeout`] next; `None` while it waits for the world only.
    fn next_deadline(&self) -> Option<Timestamp>;

    /// Whether a peer that hears one message need not hear the other. Asked of messages to one peer that wait for the same write, so that
    /// what waits for a disk that takes long has a bound; never so unless said otherwise.
    #[must_use]
    fn covers(_one: &Self::Message, _other: &Self::Message) -> bool {
        false
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input<P: Protocol> {
    /// A peer's message, and the link session on which it came.
    Message {
        /// Its sender, as its certificate says.
        from: NodeId,
        /// The link session; a later session of the same peer has another id.
        session: SessionId,
        /// What it says, unchecked.
        message: P::Message,
    },
    /// A request of this node's users. The machine owes exactly one reply to `token`.
    Command {
        /// Never used before on this machine in this incarnation.
        token: Token,
        /// What is asked.
        command: P::Command,
    },
    /// The deadline of [`Protocol::next_deadline`] has passed.
    Timeout,
    /// Every write up to this one is durable.
    Persisted(WriteId),
    /// A write failed or could not be made durable. Final: the machine acknowledges nothing any more.
    WriteFailed,
    /// Room for further records: `false` when the disk has none beyond what is reserved for writes already made.
    /// A machine without room refuses new work and stays alive.
    Space {
        /// Whether new work may be written.
        available: bool,
    },
    /// A link to a peer came up.
    Reachable {
        /// The peer.
        peer: NodeId,
        /// The new session.
        session: SessionId,
    },
    /// The link to a peer went down.
    Unreachable {
        /// The peer.
        peer: NodeId,
    },
    /// The node of a peer named by [`crate::Effect::Watch`] has not been heard for too long. Told once for each watch. The link may
    /// be up all the same, or may never have been.
    Suspected {
        /// The peer.
        peer: NodeId,
    },
    /// The answer to [`crate::Effect::Load`]: consecutive entries from the requested index, possibly fewer than were asked for.
    Loaded {
        /// The request.
        request: RequestId,
        /// What was read; empty when the range is no longer in the log.
        records: Vec<P::Record>,
    },
    /// Entries up to `upto` have taken effect on the application.
    Applied {
        /// The last entry applied.
        upto: LogIndex,
        /// The application's answer for each command applied, in order.
        results: Vec<(LogIndex, Bytes)>,
        /// The log time at which the application wants to be called again, for instance to let a lease expire.
        wake: Option<LogTime>,
    },
    /// The answer to [`crate::Effect::TakeSnapshot`]: the snapshot is durable.
    SnapshotTaken {
        /// What it says of itself.
        meta: SnapshotMeta,
        /// How many bytes it has.
        bytes: u64,
    },
    /// A snapshot could not be written; the log stays as it is.
    SnapshotFailed,
    /// The answer to [`crate::Effect::SendSnapshot`].
    SnapshotSent {
        /// To whom.
        to: NodeId,
        /// The snapshot's last index.
        index: LogIndex,
        /// Whether the peer's node has it whole; `false` when the transfer broke.
        delivered: bool,
    },
    /// A whole, checked snapshot has come from a peer and waits to be installed or dropped.
    SnapshotReceived {
        /// The sender.
        from: NodeId,
        /// What the sender's machine said when it sent it, unchecked.
        message: Box<P::Message>,
        /// What the snapshot says of itself.
        meta: SnapshotMeta,
    },
    /// The answer to [`crate::Effect::InstallSnapshot`]: durable, and the application's state is the snapshot's.
    SnapshotInstalled(SnapshotMeta),
}

/// Something to be done.
#[derive(Clone, Debug)]
pub enum Effect<P: Protocol> {
    /// Give a message to the link, once `after` is durable. It may be lost, and it may be overtaken after a reconnect.
    Send {
        /// To whom.
        to: NodeId,
        /// What to say.
        message: P::Message,
        /// The write that has to be durable first; [`WriteId::ZERO`] for none.
        after: WriteId,
    },
    /// Append records to the log and make them durable; answered by [`crate::Input::Persisted`].
    Persist {
        /// This write's id.
        id: WriteId,
        /// What to append, in order.
        records: Records<P::Record>,
    },
    /// Forget the entries from `from` on. A write like any other, in the same order.
    Truncate {
        /// This write's id.
        id: WriteId,
        /// The first entry to forget.
        from: LogIndex,
    },
    /// Forget the entries up to `upto`, which a durable snapshot contains. A write like any other, in the same order.
    Compact {
        /// This write's id.
        id: WriteId,
        /// The last entry to forget.
        upto: LogIndex,
    },
    /// Answer a token, once `after` is durable.
    Reply {
        /// The question.
        token: Token,
        /// The one answer.
        reply: P::Reply,
        /// The write that has to be durable first.
        after: WriteId,
    },
    /// Tell observers, once `after` is durable.
    Emit {
        /// What happened.
        event: P::Event,
        /// The write that has to be durable first.
        after: WriteId,
    },
    /// Read entries of the log back; answered by [`crate::Input::Loaded`].
    Load {
        /// The request's id.
        request: RequestId,
        /// The first entry wanted.
        from: LogIndex,
        /// The last entry wanted.
        to: LogIndex,
        /// Stop after the entry with which this many bytes are reached; at least one entry is read.
        max_bytes: usize,
    },
    /// Let committed entries take effect on the application, in order; answered by [`crate::Input::Applied`].
    Apply {
        /// Consecutive entries, the first of them next to the last one applied.
        entries: Entries,
    },
    /// Write a snapshot of the application as it is after the last `Apply`; answered by `SnapshotTaken` or `SnapshotFailed`.
    TakeSnapshot {
        /// What the snapshot shall say of itself.
        meta: SnapshotMeta,
    },
    /// Send the newest durable snapshot to a peer's node; answered by [`crate::Input::SnapshotSent`].
    SendSnapshot {
        /// To whom.
        to: NodeId,
        /// What the receiving machine is told with it.
        message: P::Message,
    },
    /// Make the snapshot that was received last from `from` the application's state. A write like any other: durable by itself,
    /// and it forgets the log up to its index (and the whole log when the log does not hold the snapshot's last entry).
    InstallSnapshot {
        /// This write's id.
        id: WriteId,
        /// Whose snapshot.
        from: NodeId,
        /// What it says of itself.
        meta: SnapshotMeta,
    },
    /// Forget the snapshot that was received last from `from`.
    DropSnapshot {
        /// Whose snapshot.
        from: NodeId,
    },
    /// Tell the machine by [`crate::Input::Suspected`] when the node of one of these peers falls silent; takes the place of the
    /// watch before. For machines that say nothing while all is well: what is heard of a node is shared by all of them.
    Watch {
        /// Whose nodes; nobody's ends the watch.
        peers: BTreeSet<NodeId>,
    },
}

/// The effects of one machine that have not been carried out.
#[derive(Clone, Debug)]
pub struct Outbox<P: Protocol> {
    effects: Vec<Effect<P>>,
    last_write: WriteId,
    reached: Vec<&'static str>,
}

impl<P: Protocol> Default for Outbox<P> {
    fn default() -> Self {
        Self { effects: Vec::new(), last_write: WriteId::ZERO, reached: Vec::new() }
    }
}

impl<P: Protocol> Outbox<P> {
    /// Sends once every earlier write is durable.
    pub fn send(&mut self, to: NodeId, message: P::Message) {
        self.effects.push(Effect::Send { to, message, after: self.last_write });
    }

    /// Sends at once. Only for messages that promise nothing about this node's disk; each use names its reason.
    pub fn send_early(&mut self, to: NodeId, message: P::Message) {
        self.effects.push(Effect::Send { to, message, after: WriteId::ZERO });
    }

    /// Appends records to the log; the id is confirmed by [`crate::Input::Persisted`].
    pub fn persist(&mut self, records: impl Into<Records<P::Record>>) -> WriteId {
        let id = self.next_write();
        self.effects.push(Effect::Persist { id, records: records.into() });
        id
    }

    /// Forgets the entries from `from` on.
    pub fn truncate(&mut self, from: LogIndex) -> WriteId {
        let id = self.next_write();
        self.effects.push(Effect::Truncate { id, from });
        id
    }

    /// Forgets the entries up to `upto`.
    pub fn compact(&mut self, upto: LogIndex) -> WriteId {
        let id = self.next_write();
        self.effects.push(Effect::Compact { id, upto });
        id
    }

    /// Answers a token once every earlier write is durable.
    pub fn reply(&mut self, token: Token, reply: P::Reply) {
        self.effects.push(Effect::Reply { token, reply, after: self.last_write });
    }

    /// Answers a token at once. Only for answers that promise nothing about this node's disk.
    pub fn reply_early(&mut self, token: Token, reply: P::Reply) {
        self.effects.push(Effect::Reply { token, reply, after: WriteId::ZERO });
    }

    /// Tells observers once every earlier write is durable.
    pub fn emit(&mut self, event: P::Event) {
        self.effects.push(Effect::Emit { event, after: self.last_write });
    }

    /// Reads entries back from the log.
    pub fn load(&mut self, request: RequestId, from: LogIndex, to: LogIndex, max_bytes: usize) {
        self.effects.push(Effect::Load { request, from, to, max_bytes });
    }

    /// Lets committed entries take effect.
    pub fn apply(&mut self, entries: Entries) {
        self.effects.push(Effect::Apply { entries });
    }

    /// Writes a snapshot of the application.
    pub fn take_snapshot(&mut self, meta: SnapshotMeta) {
        self.effects.push(Effect::TakeSnapshot { meta });
    }

    /// Sends the newest snapshot.
    pub fn send_snapshot(&mut self, to: NodeId, message: P::Message) {
        self.effects.push(Effect::SendSnapshot { to, message });
    }

    /// Installs the snapshot received from `from`.
    pub fn install_snapshot(&mut self, from: NodeId, meta: SnapshotMeta) -> WriteId {
        let id = self.next_write();
        self.effects.push(Effect::InstallSnapshot { id, from, meta });
        id
    }

    /// Drops the snapshot received from `from`.
    pub fn drop_snapshot(&mut self, from: NodeId) {
        self.effects.push(Effect::DropSnapshot { from });
    }

    /// Asks to hear of these peers' silence, and of nobody else's.
    pub fn watch(&mut self, peers: BTreeSet<NodeId>) {
        self.effects.push(Effect::Watch { peers });
    }

    /// Says that a rare path was taken, so that a simulation can prove that it was.
    pub fn reached(&mut self, path: &'static str) {
        self.reached.push(path);
    }

    /// The id of the last write that was asked for.
    #[must_use]
    pub fn last_write(&self) -> WriteId {
        self.last_write
    }

    /// Takes the effects produced since the last call, in order.
    pub fn take(&mut self) -> Vec<Effect<P>> {
        std::mem::take(&mut self.effects)
    }

    /// Takes the effects produced since the last call one by one, in order, and keeps their room.
    pub fn drain(&mut self) -> Drain<'_, Effect<P>> {
        self.effects.drain(..)
    }

    /// Takes the effects as [`Outbox::take`] does, and leaves an empty vector's memory in their place.
    ///
    /// # Panics
    /// When something is still in the vector.
    pub fn take_into(&mut self, effects: &mut Vec<Effect<P>>) {
        assert!(effects.is_empty(), "effects are carried out once");
        std::mem::swap(&mut self.effects, effects);
    }

    /// Takes the rare paths taken since the last call.
    pub fn take_reached(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.reached)
    }

    /// Whether nothing waits to be carried out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }

    fn next_write(&mut self) -> WriteId {
        self.last_write = self.last_write.next();
        self.last_write
    }
}
