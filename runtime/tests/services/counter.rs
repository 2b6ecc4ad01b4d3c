//! The state machine of the tests of replicated services: a count.

use std::io::{self, Read};

use synod::driver::Frozen;
use synod::services::{Applied, StateMachine};

/// Counts, and tells the count.
#[derive(Debug, Default)]
pub(crate) struct Counter(pub(crate) u64);

impl StateMachine for Counter {
    type Command = u64;
    type Reply = u64;
    type Query = ();
    type Answer = u64;

    fn apply(&mut self, _at: Applied, command: u64) -> u64 {
        self.0 += command;
        self.0
    }

    fn query(&self, (): ()) -> u64 {
        self.0
    }

    fn snapshot(&self) -> Frozen {
        let count = self.0;
        Frozen::new(move |writer| writer.write_all(&count.to_le_bytes()))
    }

    fn restore(reader: &mut dyn Read) -> io::Result<Self> {
        let mut bytes = [0; 8];
        reader.read_exact(&mut bytes)?;
        Ok(Self(u64::from_le_bytes(bytes)))
    }
}
