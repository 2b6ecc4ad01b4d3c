//! A state machine: one total, which commands raise.

use std::io::{self, Read};

use synod::prelude::*;

/// The state that is replicated. It changes by commands only, which every replica gets in the same order.
#[derive(Debug, Default)]
pub struct Counter {
    total: u64,
}

/// A command. It stands in logs, so it is data that later versions can read.
#[derive(Serialize, Deserialize)]
pub struct Add(pub u64);

/// A query, which changes nothing.
#[derive(Serialize, Deserialize)]
pub struct Total;

impl StateMachine for Counter {
    type Command = Add;
    type Reply = u64;
    type Query = Total;
    type Answer = u64;

    fn apply(&mut self, _at: Applied, Add(amount): Add) -> u64 {
        // Wrapping, because every replica has to do the same with every command, and none may panic.
        self.total = self.total.wrapping_add(amount);
        self.total
    }

    fn query(&self, Total: Total) -> u64 {
        self.total
    }

    fn snapshot(&self) -> Frozen {
        // Cheap, because nothing is applied meanwhile: the bytes are written later, on another thread.
        let total = self.total;
        Frozen::new(move |writer| writer.write_all(&total.to_le_bytes()))
    }

    fn restore(reader: &mut dyn Read) -> io::Result<Self> {
        let mut total = [0; 8];
        reader.read_exact(&mut total)?;
        Ok(Self { total: u64::from_le_bytes(total) })
    }
}
