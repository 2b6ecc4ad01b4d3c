//! The least that can be replicated: a sum.

use std::io::{self, Read};

use synod::services::{Applied, Frozen, StateMachine};

/// A sum of everything it was told.
#[derive(Debug, Default)]
pub(crate) struct Counter(u64);

impl StateMachine for Counter {
    type Command = u64;
    type Reply = u64;
    type Query = ();
    type Answer = u64;

    fn apply(&mut self, _at: Applied, command: u64) -> u64 {
        self.0 = self.0.wrapping_add(command);
        self.0
    }

    fn query(&self, (): ()) -> u64 {
        self.0
    }

    fn snapshot(&self) -> Frozen {
        let sum = self.0;
        Frozen::new(move |writer| writer.write_all(&sum.to_le_bytes()))
    }

    fn restore(reader: &mut dyn Read) -> io::Result<Self> {
        let mut bytes = [0; 8];
        reader.read_exact(&mut bytes)?;
        Ok(Self(u64::from_le_bytes(bytes)))
    }
}
