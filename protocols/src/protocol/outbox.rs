//! Where a machine puts its effects; it numbers the writes and stamps what has to wait for them.
//!
//! One outbox belongs to one machine for its whole life, so that write ids never repeat within an incarnation.

use crate::log::{Entry, SnapshotMeta};
use crate::protocol::{Effect, Protocol};
use crate::types::{LogIndex, NodeId, RequestId, Token, WriteId};

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
    pub fn persist(&mut self, records: Vec<P::Record>) -> WriteId {
        let id = self.next_write();
        self.effects.push(Effect::Persist { id, records });
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
    pub fn apply(&mut self, entries: Vec<Entry>) {
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
