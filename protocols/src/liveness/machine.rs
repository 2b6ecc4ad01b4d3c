//! The one `match` over what a liveness machine hears.

use crate::liveness::config::Config;
use crate::liveness::message::{Command, Event, Message, Record, Reply};
use crate::liveness::state::Liveness;
use crate::protocol::{Input, Outbox, Protocol, Recovered};
use crate::types::Timestamp;

impl Protocol for Liveness {
    const NAME: &'static str = "liveness";

    type Config = Config;
    type Message = Message;
    type Command = Command;
    type Reply = Reply;
    type Event = Event;
    type Record = Record;

    fn restore(config: Config, _seed: u64, _recovered: Recovered<Record>) -> Self {
        Self::new(config)
    }

    fn handle(&mut self, now: Timestamp, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Message { from, message: Message::Beat { wanted }, .. } => {
                self.hear(now, from, wanted, out);
            }
            Input::Command { token, command } => {
                match command {
                    Command::Watch { peer } => self.watch(now, peer, out),
                    Command::Release { peer } => self.release(peer, out),
                }
                out.reply_early(token, Reply::Done);
            }
            Input::Timeout => self.beat_all(now, out),
            Input::Unreachable { peer } => self.lose(peer, out),
            // It keeps nothing, applies nothing and watches by itself.
            Input::Reachable { .. }
            | Input::Suspected { .. }
            | Input::Persisted(_)
            | Input::WriteFailed
            | Input::Space { .. }
            | Input::Loaded { .. }
            | Input::Applied { .. }
            | Input::SnapshotTaken { .. }
            | Input::SnapshotFailed
            | Input::SnapshotSent { .. }
            | Input::SnapshotReceived { .. }
            | Input::SnapshotInstalled(_) => {}
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.beat_at
    }
}
