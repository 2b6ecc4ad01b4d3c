//! How far a comparison has come, on standard error: what is being measured where somebody watches, and lines that stay in any case.

use std::cell::Cell;
use std::io::{IsTerminal, Write, stderr};

/// The progress of one part.
pub(crate) struct Progress {
    runs: usize,
    done: Cell<usize>,
    watched: bool,
}

impl Progress {
    /// Nothing of so many runs done.
    pub(crate) fn new(runs: usize) -> Self {
        Self { runs, done: Cell::new(0), watched: stderr().is_terminal() }
    }

    /// Says which run begins.
    pub(crate) fn begin(&self, run: &str) {
        self.rewrite(&format!("[{}/{}] {run}", self.done.get() + 1, self.runs));
    }

    /// A run is done.
    pub(crate) fn finish(&self) {
        self.done.set(self.done.get() + 1);
    }

    /// A line that stays.
    pub(crate) fn say(&self, line: &str) {
        self.clear();
        eprintln!("{line}");
    }

    /// Takes away what was only of the moment.
    pub(crate) fn clear(&self) {
        self.rewrite("");
    }

    fn rewrite(&self, line: &str) {
        if self.watched {
            // Whoever does not see it misses nothing that is not said again.
            let _ = write!(stderr(), "\r\x1b[2K{line}").and_then(|()| stderr().flush());
        }
    }
}
