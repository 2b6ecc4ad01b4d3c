//! What takes commands of any size and keeps none of them: the sum of their lengths.

use std::io::{self, Read};

use bytes::Bytes;
use synod::services::{Applied, Frozen, StateMachine};

/// How many bytes it was told.
#[derive(Debug, Default)]
pub(crate) struct Length(u64);

impl StateMachine for Length {
    type Command = Bytes;
    type Reply = u64;
    type Query = ();
    type Answer = u64;

    fn apply(&mut self, _at: Applied, command: Bytes) -> u64 {
        self.0 += command.len() as u64;
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
