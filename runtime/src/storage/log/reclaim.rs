//! Giving space back: the oldest segment is removed once nothing in it is of use, and what little is of use is appended again.
//!
//! Always the oldest one, so that a record which forgets others is never removed before them (Rosenblum and Ousterhout, SOSP
//! 1991, §3.4, with the age as the only policy: its cost is bounded because it runs only while most of the log is garbage).

use std::io;

use crate::storage::log::engine::Engine;
use crate::storage::log::fault::Trouble;
use crate::storage::log::record::Record;
use crate::storage::log::segment::{directory, limit, segment_path};

/// How much is appended again before a commit gets its turn.
const SLICE: u64 = 256 << 10;

impl Engine {
    /// Whether the oldest segment should go: it is of no use, or more than half of the log is garbage.
    pub(super) fn wants_cleaning(&self) -> bool {
        let oldest = self.cleaning.oldest;
        if oldest >= self.head.segment {
            return false;
        }
        let closed =
            self.segments.range(..self.head.segment).map(|(_, segment)| segment.capacity).sum::<u64>();
        self.index.live_in(oldest) == 0 || closed > 2 * self.index.live() + self.options.segment_bytes
    }

    /// Does what has to be done now and then; true if there is more of it.
    pub(super) fn tend(&mut self) -> Result<bool, Trouble> {
        self.reserve_ahead(1)?;
        self.write_zeros()?;
        self.clean()
    }

    /// Takes one step towards the removal of the oldest segment; true if another step is wanted at once.
    ///
    /// What is appended again comes before the mark that says that the segment is not needed, and that mark is durable before the
    /// segment goes. A crash in between leaves a log with the same content: a mark behind a torn record is cut with it.
    fn clean(&mut self) -> Result<bool, Trouble> {
        if !self.wants_cleaning() {
            self.cleaning.candidates = None;
            return Ok(false);
        }
        let victim = self.cleaning.oldest;
        let mut candidates = self.cleaning.candidates.take().unwrap_or_else(|| self.index.in_segment(victim));
        let mut copied = 0;
        while copied < SLICE {
            let Some((machine, kind, place, slot)) = candidates.pop() else { break };
            if !self.index.is_live(machine, kind, place, slot) {
                continue;
            }
            if !self.has_room() && self.head.offset + slot.size() > limit(self.head.capacity) {
                // Without candidates the next step looks again; until there is room nothing can be moved.
                self.flush()?;
                return Ok(false);
            }
            let body = self.load(machine, place, slot)?;
            self.append(kind, machine, place, &body)?;
            self.reserve_ahead(1)?;
            copied += Record::size(body.len() as u64);
        }
        self.counters.copied_bytes.inc_by(copied);
        self.flush()?;
        if !candidates.is_empty() {
            self.cleaning.candidates = Some(candidates);
            return Ok(true);
        }
        Ok(self.remove_oldest()?)
    }

    fn remove_oldest(&mut self) -> io::Result<bool> {
        let victim = self.cleaning.oldest;
        debug_assert_eq!(self.index.live_in(victim), 0, "what is of use has been appended again");
        self.cleaning.oldest = victim + 1;
        if !self.mark(self.marks_limit()) {
            // The room for marks is used up; the head of the next segment says it too, but there is none yet.
            self.cleaning.oldest = victim;
            return Ok(false);
        }
        self.sync()?;
        self.segments.remove(&victim);
        self.disk.remove(&segment_path(victim))?;
        self.disk.sync_directory(directory())?;
        self.counters.reclaimed.inc();
        self.counters.segments.set(self.segments.len() as i64);
        self.reserve_ahead(1)?;
        Ok(self.wants_cleaning())
    }
}
