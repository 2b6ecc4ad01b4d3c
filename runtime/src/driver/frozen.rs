//! A state that no longer changes, on its way to a snapshot.

use std::fmt;
use std::io::{self, Write};

/// Writes a state out, once.
trait Writing: FnOnce(&mut dyn Write) -> io::Result<()> + Send {}

impl<F: FnOnce(&mut dyn Write) -> io::Result<()> + Send> Writing for F {}

/// A state that no longer changes and can be written out on another thread.
pub struct Frozen {
    write: Box<dyn Writing>,
}

impl Frozen {
    /// A state that is written out by `write`.
    #[must_use]
    pub fn new(write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static) -> Self {
        Self { write: Box::new(write) }
    }

    /// Writes the state out.
    ///
    /// # Errors
    /// Those of `writer`.
    pub fn write_to(self, writer: &mut dyn Write) -> io::Result<()> {
        (self.write)(writer)
    }
}

impl fmt::Debug for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Frozen")
    }
}
