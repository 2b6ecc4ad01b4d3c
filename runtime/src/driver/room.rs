//! Whether there is room for entries: what the log says, and what it does when a write is made.
//!
//! The two differ: a write may need more room than the log has left, although it has some. The machines hear of both as one.

use std::time::Duration;

use synod_protocols::Timestamp;

/// How long to wait before the log is asked to look for room again: nobody writes while there is none, so that it would not
/// look by itself.
const PROBE: Duration = Duration::from_millis(500);

/// Room for entries, as far as known.
#[derive(Debug)]
pub(crate) struct Room {
    log_has_some: bool,
    write_refused: bool,
    probe_at: Option<Timestamp>,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { log_has_some: true, write_refused: false, probe_at: None }
    }

    /// Whether entries may be written.
    pub(crate) fn is_available(&self) -> bool {
        self.log_has_some && !self.write_refused
    }

    /// The log says whether it has room. Says whether something changed for the machines.
    pub(crate) fn log_says(&mut self, now: Timestamp, available: bool) -> bool {
        self.change(now, |room| room.log_has_some = available)
    }

    /// A write was made, or `refused` for want of room. Says whether something changed for the machines.
    pub(crate) fn written(&mut self, now: Timestamp, refused: bool) -> bool {
        self.change(now, |room| room.write_refused = refused)
    }

    /// Whether it is time to let the log look for room.
    pub(crate) fn probe(&mut self, now: Timestamp) -> bool {
        let due = self.probe_at.is_some_and(|at| at <= now);
        if due {
            self.probe_at = Some(now.after(PROBE));
        }
        due
    }

    /// When that will be.
    pub(crate) fn probe_at(&self) -> Option<Timestamp> {
        self.probe_at
    }

    fn change(&mut self, now: Timestamp, change: impl FnOnce(&mut Self)) -> bool {
        let before = self.is_available();
        change(self);
        if self.is_available() == before {
            return false;
        }
        self.probe_at = before.then(|| now.after(PROBE));
        true
    }
}
