//! What an application gives to be replicated: a state that changes by commands only, in the order of the log.
//!
//! Not a protocol: it never sends, and it hears of time only as log time. Every replica runs the same commands, so `apply` and
//! `expire` may depend on nothing but the state, the command and their arguments.

use std::io::{self, Read};

use serde::Serialize;
use serde::de::DeserializeOwned;
use synod_protocols::log::SessionTag;
use synod_protocols::{LogIndex, LogTime};

use crate::driver::Frozen;
use crate::wire::decode;

/// Where and when a command takes effect; the same on every replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The command's log index.
    pub index: LogIndex,
    /// The command's log time.
    pub time: LogTime,
    /// Who asked, when the request bore a tag. Repetitions never reach the state machine.
    pub session: Option<SessionTag>,
}

/// The command that `command` encodes, if this version can read it.
#[must_use]
pub fn decode_command<C: DeserializeOwned>(command: &[u8]) -> Option<C> {
    decode(command, command.len()).ok()
}

/// A deterministic application state.
pub trait StateMachine: Sized + Send + 'static {
    /// Changes the state. Its encoding stands in logs: fields are added with `#[serde(default)]` at the end, never removed.
    type Command: Serialize + DeserializeOwned + Send + 'static;
    /// The answer to a command.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// Asks without changing.
    type Query: Serialize + DeserializeOwned + Send + 'static;
    /// The answer to a query.
    type Answer: Serialize + DeserializeOwned + Send + 'static;

    /// Lets a command take effect.
    fn apply(&mut self, at: Applied, command: Self::Command) -> Self::Reply;

    /// Lets a command take effect from its encoding; `None`, and no change, when it cannot be read.
    ///
    /// By default the command is decoded and handed to [`StateMachine::apply`]. A state that keeps parts of its commands may spare
    /// itself copies here; what it does has to be the same, and what it does not know is for [`decode_command`].
    fn apply_encoded(&mut self, at: Applied, command: &[u8]) -> Option<Self::Reply> {
        decode_command(command).map(|command| self.apply(at, command))
    }

    /// Answers from the state as it is.
    fn query(&self, query: Self::Query) -> Self::Answer;

    /// The state as it is, to be written out later and elsewhere. Has to be cheap: nothing is applied meanwhile.
    fn snapshot(&self) -> Frozen;

    /// The state that a snapshot holds.
    ///
    /// # Errors
    /// When the bytes cannot be read or are no snapshot of this type.
    fn restore(reader: &mut dyn Read) -> io::Result<Self>;

    /// Log time has reached `time`; called before the entry at `index` takes effect.
    fn expire(&mut self, index: LogIndex, time: LogTime) {
        let _ = (index, time); // The default has nothing that runs out.
    }

    /// The log time at which [`StateMachine::expire`] has something to do next. The leader sees to it that log time gets there.
    fn wake(&self) -> Option<LogTime> {
        None
    }

    /// Nothing is applied here any more: the node's disk has failed, or the service ends on this node. Whoever is subscribed
    /// wants to know.
    fn stopped(&mut self) {}

    /// Takes over what is local to this node, such as subscribers, from the state that this one replaces.
    fn adopt(&mut self, previous: Self) {
        drop(previous);
    }
}
