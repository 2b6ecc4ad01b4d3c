//! The writes of all machines of a driver: one at a time to the log, while the next one gathers.
//!
//! One at a time keeps the order of a machine's writes when the log has no room and a write has to be made again.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use synod_protocols::{Place, Placed, Protocol, Timestamp, WriteId};

use crate::address::MachineId;
use crate::driver::seat::Seat;
use crate::storage::Write;
use crate::wire::{Form, encode};

/// How long to wait before a write is made again for which there was no room.
const RETRY: Duration = Duration::from_millis(500);

/// What is to be written, and what is being written.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    gathering: Batch,
    in_flight: Option<Batch>,
    /// When the write in flight, which met a full disk, is to be made again.
    retry_at: Option<Timestamp>,
}

/// One write to the log.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    writes: BTreeMap<Seat, (WriteId, Vec<Write>)>,
    records: usize,
}

impl Writes {
    /// Lets a machine's records go with the next write.
    pub(crate) fn add(&mut self, seat: Seat, id: WriteId, records: impl IntoIterator<Item = Write>) {
        let (last, writes) = self.gathering.writes.entry(seat).or_default();
        *last = id;
        let before = writes.len();
        writes.extend(records);
        self.gathering.records += writes.len() - before;
    }

    /// What is to be given to the log, if it waits for something: the next write, or the last one again.
    pub(crate) fn begin(&mut self, now: Timestamp) -> Option<Vec<(MachineId, Vec<Write>)>> {
        if self.in_flight.is_some() {
            if self.retry_at.is_none_or(|at| now < at) {
                return None;
            }
            self.retry_at = None;
        } else if self.gathering.writes.is_empty() {
            return None;
        } else {
            self.in_flight = Some(std::mem::take(&mut self.gathering));
        }
        let batch = self.in_flight.as_ref()?;
        Some(batch.writes.iter().map(|(seat, (_, writes))| (seat.machine, writes.clone())).collect())
    }

    /// The write in flight is durable; gives each machine's last write in it.
    pub(crate) fn finish(&mut self) -> Vec<(Seat, WriteId)> {
        let batch = self.in_flight.take().unwrap_or_default();
        batch.writes.into_iter().map(|(seat, (id, _))| (seat, id)).collect()
    }

    /// There was no room for the write in flight: it is made again.
    pub(crate) fn put_off(&mut self, now: Timestamp) {
        self.retry_at = Some(now.after(RETRY));
    }

    /// The log refused the write in flight because of the machines that `refused` picks: it is made again without them.
    /// Gives those machines.
    pub(crate) fn evict(&mut self, refused: impl Fn(MachineId, &[Write]) -> bool) -> Vec<Seat> {
        let Some(batch) = &mut self.in_flight else { return Vec::new() };
        let guilty = |(seat, (_, writes)): (&Seat, &(WriteId, Vec<Write>))| {
            refused(seat.machine, writes).then_some(*seat)
        };
        let evicted: Vec<Seat> = batch.writes.iter().filter_map(guilty).collect();
        for seat in &evicted {
            batch.writes.remove(seat);
            self.gathering.writes.remove(seat);
        }
        self.retry_at = Some(Timestamp::ZERO);
        evicted
    }

    /// Forgets what a machine has written that is not in the log: it writes nothing any more.
    pub(crate) fn forget(&mut self, seat: Seat) {
        for batch in [Some(&mut self.gathering), self.in_flight.as_mut()].into_iter().flatten() {
            if let Some((_, writes)) = batch.writes.remove(&seat) {
                batch.records -= writes.len();
            }
        }
    }

    /// There is room again.
    pub(crate) fn retry(&mut self) {
        if self.retry_at.is_some() {
            self.retry_at = Some(Timestamp::ZERO);
        }
    }

    /// Forgets everything, after a failed write.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many records the write in flight has.
    pub(crate) fn records(&self) -> usize {
        self.in_flight.as_ref().map_or(0, |batch| batch.records)
    }

    /// When to look again.
    pub(crate) fn retry_at(&self) -> Option<Timestamp> {
        self.retry_at
    }

    /// Whether nothing is to be written and nothing is being written.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.gathering.writes.is_empty()
    }
}

/// The records of one `Persist` as the log takes them.
///
/// # Errors
/// When a record cannot be encoded; the machine cannot go on then.
pub(crate) fn encode_records<P: Protocol>(records: &[P::Record]) -> Result<Vec<Write>, String> {
    let mut buffer = BytesMut::new();
    let mut writes = Vec::with_capacity(records.len());
    for record in records {
        encode(record, Form::Compact, &mut buffer).map_err(|error| error.to_string())?;
        let body: Bytes = buffer.split().freeze();
        writes.push(match record.place() {
            Place::Entry(index) => Write::Entry { index, body },
            Place::Cell(key) => Write::Cell { key, body },
        });
    }
    Ok(writes)
}
