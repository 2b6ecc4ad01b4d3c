//! A simulated disk: writes wait for a sync, a sync carries all that waited, a crash loses what was not synced.
//!
//! Of the writes a crash catches, any prefix may survive, and the first lost one may survive in part (its first records),
//! as a log that checks its records cuts a torn tail. What was synced is never lost: a loss of it would be a fault
//! outside the model. After Pillai et al., OSDI 2014, and Alagappan et al., FAST 2018.

use std::collections::VecDeque;
use std::time::Duration;

use crate::prng::Prng;
use crate::protocol::{Place, Placed, Recovered};
use crate::sim::fault::{FaultKind, Tally};
use crate::sim::image::{Image, Misuse, Snapshot, Write};
use crate::sim::subject::Subject;
use crate::types::{LogIndex, Timestamp, WriteId};

/// The longest time of writing a snapshot. A disk that is healed does not write faster what it had begun.
const SNAPSHOT_MAX: Duration = Duration::from_secs(5);

/// How fast a disk is, and what a crash does to it.
#[derive(Clone, Debug, PartialEq)]
pub struct DiskConfig {
    /// The least time of a sync.
    pub sync_min: Duration,
    /// The longest ordinary time of a sync.
    pub sync_max: Duration,
    /// The probability that a sync takes up to `stall_max`.
    pub stall: f64,
    /// The longest time of a sync that stalls.
    pub stall_max: Duration,
    /// The probability that a crash loses something of what was not synced, rather than nothing.
    pub lose: f64,
    /// The probability that the first lost write survives in part.
    pub tear: f64,
    /// How many entries may still be written when the disk is full: the room reserved for writes already made.
    pub reserve: usize,
}

impl DiskConfig {
    /// A fast disk without stalls that loses at a crash whatever it may.
    #[must_use]
    pub const fn calm() -> Self {
        Self {
            sync_min: Duration::from_micros(100),
            sync_max: Duration::from_micros(500),
            stall: 0.0,
            stall_max: Duration::ZERO,
            lose: 1.0,
            tear: 0.5,
            reserve: 4096,
        }
    }
}

/// What became of a sync.
#[derive(Clone, Debug)]
pub enum Synced {
    /// Every write up to the id is durable; the snapshots installed by them, in order.
    Durable(WriteId, Vec<Snapshot>),
    /// The sync failed; nothing it carried is durable, and the disk takes nothing more until the process starts again.
    Failed,
}

/// The disk of one node. It survives the node's crashes.
#[derive(Clone, Debug)]
pub struct Disk<P: Subject> {
    config: DiskConfig,
    written: Image<P>,
    durable: Image<P>,
    pending: VecDeque<Write<P>>,
    syncing: usize,
    chance: Prng,
    stalled_until: Timestamp,
    stall_waits: bool,
    fail_next: bool,
    failed: bool,
    room: Option<usize>,
    no_snapshots_until: Timestamp,
    bad_reads_until: Timestamp,
    tally: Tally,
}

impl<P: Subject> Disk<P> {
    /// An empty disk.
    #[must_use]
    pub fn new(seed: u64, config: DiskConfig) -> Self {
        Self {
            config,
            written: Image::default(),
            durable: Image::default(),
            pending: VecDeque::new(),
            syncing: 0,
            chance: Prng::new(seed),
            stalled_until: Timestamp::ZERO,
            stall_waits: false,
            fail_next: false,
            failed: false,
            room: None,
            no_snapshots_until: Timestamp::ZERO,
            bad_reads_until: Timestamp::ZERO,
            tally: Tally::default(),
        }
    }

    /// An empty disk in the place of one that was lost; what befell that one stays counted.
    #[must_use]
    pub fn replacing(lost: &Self, seed: u64, config: DiskConfig) -> Self {
        Self { tally: lost.tally.clone(), ..Self::new(seed, config) }
    }

    /// Takes a write, which is readable at once and durable after a later sync; returns the sync's time if one starts.
    pub fn write(&mut self, now: Timestamp, write: Write<P>) -> Result<Option<Duration>, Misuse> {
        if self.failed {
            return Ok(None);
        }
        self.spend_room(&write);
        self.written.apply(&write)?;
        self.pending.push_back(write);
        Ok(self.start_sync(now))
    }

    /// Ends the sync in flight; what it carried is durable, or the disk has failed.
    pub fn finish_sync(&mut self) -> Synced {
        if self.fail_next {
            self.fail_next = false;
            self.failed = true;
            self.tally.inject(FaultKind::WriteFailure);
            return Synced::Failed;
        }
        let mut installed = Vec::new();
        let mut durable = WriteId::ZERO;
        for write in self.pending.drain(..self.syncing) {
            self.durable
                .apply(&write)
                .expect("a write that the written image took fits the durable one, which follows it");
            durable = write.id();
            if let Write::Install { snapshot, .. } = write {
                installed.push(snapshot);
            }
        }
        self.syncing = 0;
        Synced::Durable(durable, installed)
    }

    /// Starts a sync of all that waits, unless one is in flight or nothing waits; returns how long it takes.
    pub fn start_sync(&mut self, now: Timestamp) -> Option<Duration> {
        if self.syncing > 0 || self.pending.is_empty() || self.failed {
            return None;
        }
        self.syncing = self.pending.len();
        let stalled = self.stalled_until.since(now);
        if stalled > Duration::ZERO && std::mem::take(&mut self.stall_waits) {
            self.tally.inject(FaultKind::Stall);
        }
        let mut latency = self.chance.duration(self.config.sync_min, self.config.sync_max);
        if self.chance.chance(self.config.stall) {
            self.tally.request(FaultKind::Stall);
            self.tally.inject(FaultKind::Stall);
            latency += self.chance.duration(self.config.sync_max, self.config.stall_max);
        }
        Some(stalled + latency)
    }

    /// Syncs the first `writes` of those that wait, whatever sync is in flight.
    pub(super) fn sync(&mut self, writes: usize) -> Synced {
        self.syncing = writes.min(self.pending.len());
        self.finish_sync()
    }

    /// The writes that are not durable, in order.
    pub(super) fn waiting(&self) -> impl ExactSizeIterator<Item = &Write<P>> {
        self.pending.iter()
    }

    /// Keeps a snapshot, whole or not at all.
    pub fn save_snapshot(&mut self, now: Timestamp, snapshot: &Snapshot) -> bool {
        if self.failed {
            return false;
        }
        if now < self.no_snapshots_until {
            self.tally.inject(FaultKind::SnapshotFailure);
            return false;
        }
        self.written.keep_snapshot(snapshot);
        self.durable.keep_snapshot(snapshot);
        true
    }

    /// How long it takes to read entries back, this time.
    pub fn read_time(&mut self) -> Duration {
        self.chance.duration(Duration::ZERO, self.config.sync_max)
    }

    /// How long it takes to write a snapshot, this time; never so long that one begun on a slow disk is still being written when
    /// everybody has to answer again.
    pub fn snapshot_time(&mut self) -> Duration {
        self.chance.duration(self.config.sync_min, self.config.sync_max * 4).min(SNAPSHOT_MAX)
    }

    /// The process died: decides what survives of the writes that were not synced.
    pub fn crash(&mut self) {
        let keep = if self.chance.chance(self.config.lose) {
            self.chance.below(self.pending.len() as u64 + 1) as usize
        } else {
            self.pending.len()
        };
        let keep = if self.failed { 0 } else { keep };
        let mut records = 0;
        if keep < self.pending.len() {
            self.tally.request(FaultKind::LostWrites);
            self.tally.inject(FaultKind::LostWrites);
            records = self.draw_tear(keep);
        }
        self.crash_keeping(keep, records);
    }

    /// The process died: the first `writes` of those that were not synced survive, and the first `records` of the next.
    pub(super) fn crash_keeping(&mut self, writes: usize, records: usize) {
        for (position, write) in
            std::mem::take(&mut self.pending).into_iter().take(writes.saturating_add(1)).enumerate()
        {
            match &write {
                write if position < writes => {
                    self.durable.apply(write).expect("writes survive in their order");
                }
                Write::Persist { records: lost, .. } => {
                    for record in lost.iter().take(records) {
                        self.durable.put(record).expect("records survive in their order");
                    }
                }
                Write::Truncate { .. } | Write::Compact { .. } | Write::Install { .. } => {}
            }
        }
        self.written = self.durable.clone();
        self.syncing = 0;
        self.fail_next = false;
        self.failed = false;
    }

    /// What a machine that starts on this disk is given.
    #[must_use]
    pub fn recover(&self) -> Recovered<P::Record> {
        self.durable.recover()
    }

    /// Lets no sync that starts before `until` end before it.
    pub fn stall(&mut self, until: Timestamp) {
        self.tally.request(FaultKind::Stall);
        self.stalled_until = self.stalled_until.max(until);
        self.stall_waits = true;
    }

    /// Lets the next sync fail.
    pub fn fail_next_sync(&mut self) {
        self.tally.request(FaultKind::WriteFailure);
        self.fail_next = true;
    }

    /// Lets snapshots fail until an instant.
    pub fn fail_snapshots(&mut self, until: Timestamp) {
        self.tally.request(FaultKind::SnapshotFailure);
        self.no_snapshots_until = self.no_snapshots_until.max(until);
    }

    /// Lets reads of entries bring less than is there, or an entry of another place among them, until an instant.
    pub fn read_badly(&mut self, until: Timestamp) {
        self.tally.request(FaultKind::BadRead);
        self.bad_reads_until = self.bad_reads_until.max(until);
    }

    /// Takes room away beyond the reserve, or gives it back.
    pub fn fill(&mut self, full: bool) {
        self.room = full.then_some(self.config.reserve);
    }

    /// Takes so many times as long for everything, until it is healed.
    pub fn slow_down(&mut self, factor: u32) {
        self.tally.request(FaultKind::SlowDisk);
        self.tally.inject(FaultKind::SlowDisk);
        self.config.sync_min *= factor;
        self.config.sync_max *= factor;
    }

    /// Forgets faults that have not struck yet, has room again, and is as fast as another; what a crash does to it stays.
    pub fn heal(&mut self, speed: DiskConfig) {
        self.stalled_until = Timestamp::ZERO;
        self.no_snapshots_until = Timestamp::ZERO;
        self.bad_reads_until = Timestamp::ZERO;
        self.fail_next = false;
        self.room = None;
        self.config = DiskConfig { lose: self.config.lose, tear: self.config.tear, ..speed };
    }

    /// What reads see: every write, synced or not.
    #[must_use]
    pub fn written(&self) -> &Image<P> {
        &self.written
    }

    /// What would survive a crash in any case.
    #[must_use]
    pub fn durable(&self) -> &Image<P> {
        &self.durable
    }

    /// Entries from `from` to `to`, as far as they are there and until `max_bytes` are reached; at least one if any.
    pub fn load(&mut self, now: Timestamp, from: LogIndex, to: LogIndex, max_bytes: usize) -> Vec<P::Record> {
        let mut records = Vec::new();
        let mut bytes = 0;
        let mut index = from;
        while index <= to && (records.is_empty() || bytes < max_bytes) {
            let Some(record) = self.written.entry(index) else { break };
            bytes += P::record_size(record);
            records.push(record.clone());
            index = index.next();
        }
        if now < self.bad_reads_until {
            self.spoil(&mut records);
        }
        records
    }

    /// Whether the disk takes nothing more until the process starts again.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether everything that was written is durable.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.pending.is_empty() && !self.failed
    }

    /// Whether there is room beyond the reserve.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.room.is_none()
    }

    /// The faults asked for and injected up to this moment.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What checks of a log leave of a bad read: what stands before the bad place, in half of the cases followed by a record that is
    /// whole and belongs elsewhere.
    fn spoil(&mut self, records: &mut Vec<P::Record>) {
        let Some(last) = records.len().checked_sub(1) else { return };
        self.tally.inject(FaultKind::BadRead);
        let elsewhere = self.written.entry(LogIndex(self.chance.between(1, self.written.last_index().0)));
        let elsewhere = elsewhere.cloned().filter(|_| self.chance.chance(0.5));
        records.truncate(self.chance.below(last as u64 + 1) as usize);
        records.extend(elsewhere);
    }

    fn spend_room(&mut self, write: &Write<P>) {
        let (Some(room), Write::Persist { records, .. }) = (&mut self.room, write) else { return };
        let entries = records.iter().filter(|record| matches!(record.place(), Place::Entry(_))).count();
        match room.checked_sub(entries) {
            Some(left) => *room = left,
            None => self.fail_next = true,
        }
    }

    /// How many records survive of a write that a crash catches.
    fn draw_tear(&mut self, position: usize) -> usize {
        let Some(Write::Persist { records, .. }) = self.pending.get(position) else { return 0 };
        let least = records.len().saturating_sub(1) as u64;
        if least == 0 || !self.chance.chance(self.config.tear) {
            return 0;
        }
        self.tally.request(FaultKind::TornWrite);
        self.tally.inject(FaultKind::TornWrite);
        self.chance.between(1, least) as usize
    }
}
