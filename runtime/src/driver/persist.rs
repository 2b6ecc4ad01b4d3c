//! The writes of all machines of a driver: one at a time to the log, while the next one gathers.
//!
//! One at a time keeps the order of a machine's writes when the log has no room and a write has to be made again.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use synod_protocols::{Place, Placed, Protocol, Records, Timestamp, WriteId};

use crate::address::MachineId;
use crate::driver::seat::Seat;
use crate::storage::Write;
use crate::wire::{Form, encode};

/// How long to wait before a write is made again for which there was no room.
const RETRY: Duration = Duration::from_millis(500);

/// Room made for a record before it is encoded.
const USUAL_BYTES: usize = 128;

/// What is to be written, and what is being written.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    gathering: Batch,
    in_flight: Option<Batch>,
    /// Writes for which there was no room. Their machines write nothing else before them; the others still write what the log
    /// takes without room for entries, such as ballots.
    put_off: Batch,
    /// When what was put off is to be written again.
    retry_at: Option<Timestamp>,
}

/// One write to the log.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    writes: BTreeMap<Seat, (WriteId, Vec<Write>)>,
}

impl Writes {
    /// Lets a machine's records go with the next write.
    pub(crate) fn add(&mut self, seat: Seat, id: WriteId, records: impl IntoIterator<Item = Write>) {
        let (last, writes) = self.gathering.writes.entry(seat).or_default();
        *last = id;
        writes.extend(records);
    }

    /// What is to be given to the log, if it waits for something: what was put off, if it is time, or the next write.
    pub(crate) fn begin(&mut self, now: Timestamp) -> Option<Vec<(MachineId, Vec<Write>)>> {
        if self.in_flight.is_some() {
            return None;
        }
        let batch = if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            std::mem::take(&mut self.put_off)
        } else if self.put_off.is_empty() {
            std::mem::take(&mut self.gathering)
        } else {
            let put_off = &self.put_off;
            self.gathering.split(|seat, writes| !put_off.writes.contains_key(seat) && !has_entries(writes))
        };
        if batch.is_empty() {
            return None;
        }
        let writes = batch.writes.iter().map(|(seat, (_, writes))| (seat.machine, writes.clone())).collect();
        self.in_flight = Some(batch);
        Some(writes)
    }

    /// The write in flight is durable; gives each machine's last write in it.
    pub(crate) fn finish(&mut self) -> Vec<(Seat, WriteId)> {
        let batch = self.in_flight.take().unwrap_or_default();
        batch.writes.into_iter().map(|(seat, (id, _))| (seat, id)).collect()
    }

    /// There was no room for the write in flight: it is made again later, and what of it needs no room for entries at once.
    pub(crate) fn put_off(&mut self, now: Timestamp) {
        let mut refused = self.in_flight.take().unwrap_or_default();
        let light = refused.split(|_, writes| !has_entries(writes));
        if refused.is_empty() {
            // Not even that was taken.
            self.put_off.writes.extend(light.writes);
        } else {
            self.gathering.precede(light);
        }
        self.put_off.writes.extend(refused.writes);
        self.retry_at = Some(now.after(RETRY));
    }

    /// Whether something waits for room.
    pub(crate) fn is_put_off(&self) -> bool {
        !self.put_off.is_empty()
    }

    /// The log refused the write in flight because of the machines that `refused` picks: it is made again without them.
    /// Gives those machines.
    pub(crate) fn evict(&mut self, refused: impl Fn(MachineId, &[Write]) -> bool) -> Vec<Seat> {
        let Some(mut batch) = self.in_flight.take() else { return Vec::new() };
        let guilty = batch.split(|seat, writes| refused(seat.machine, writes));
        for seat in guilty.writes.keys() {
            self.gathering.writes.remove(seat);
        }
        self.gathering.precede(batch);
        guilty.writes.into_keys().collect()
    }

    /// Forgets what a machine has written that is not in the log: it writes nothing any more.
    pub(crate) fn forget(&mut self, seat: Seat) {
        let batches = [Some(&mut self.gathering), Some(&mut self.put_off), self.in_flight.as_mut()];
        for batch in batches.into_iter().flatten() {
            batch.writes.remove(&seat);
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
        let batch = self.in_flight.iter().flat_map(|batch| batch.writes.values());
        batch.map(|(_, writes)| writes.len()).sum()
    }

    /// When to look again.
    pub(crate) fn retry_at(&self) -> Option<Timestamp> {
        self.retry_at
    }

    /// Whether nothing is to be written and nothing is being written.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.gathering.is_empty() && self.put_off.is_empty()
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Takes the writes of the machines that `chosen` picks out.
    fn split(&mut self, chosen: impl Fn(&Seat, &[Write]) -> bool) -> Self {
        let (taken, left) = std::mem::take(&mut self.writes)
            .into_iter()
            .partition(|(seat, (_, writes))| chosen(seat, writes));
        self.writes = left;
        Self { writes: taken }
    }

    /// Puts earlier writes in front.
    fn precede(&mut self, earlier: Self) {
        for (seat, (id, mut writes)) in earlier.writes {
            let (last, later) = self.writes.entry(seat).or_insert((id, Vec::new()));
            *last = (*last).max(id);
            writes.append(later);
            *later = writes;
        }
    }
}

fn has_entries(writes: &[Write]) -> bool {
    writes.iter().any(|write| matches!(write, Write::Entry { .. }))
}

/// The records of one `Persist` as the log takes them, their bytes in one piece of memory.
///
/// # Errors
/// When a record cannot be encoded; the machine cannot go on then.
pub(crate) fn encode_records<P: Protocol>(records: &Records<P::Record>) -> Result<Vec<Write>, String> {
    let mut buffer = BytesMut::with_capacity(records.len() * USUAL_BYTES);
    let mut places = Vec::with_capacity(records.len());
    for record in records.iter() {
        encode(&*record, Form::Compact, &mut buffer).map_err(|error| error.to_string())?;
        places.push((record.place(), buffer.len()));
    }
    let (all, mut start) = (buffer.freeze(), 0);
    let write = |(place, end): (Place, usize)| {
        let body = all.slice(start..end);
        start = end;
        match place {
            Place::Entry(index) => Write::Entry { index, body },
            Place::Cell(key) => Write::Cell { key, body },
        }
    };
    Ok(places.into_iter().map(write).collect())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use synod_protocols::LogIndex;

    use super::*;

    const NOW: Timestamp = Timestamp(1);

    fn seat(machine: u64) -> Seat {
        Seat { machine: MachineId(machine), stay: machine }
    }

    fn entry(index: u64) -> Write {
        Write::Entry { index: LogIndex(index), body: Bytes::new() }
    }

    fn cell(key: u64) -> Write {
        Write::Cell { key, body: Bytes::new() }
    }

    fn machines(batch: Option<Vec<(MachineId, Vec<Write>)>>) -> Vec<(u64, usize)> {
        batch.unwrap_or_default().into_iter().map(|(machine, writes)| (machine.0, writes.len())).collect()
    }

    #[test]
    fn ballots_of_other_machines_do_not_wait_for_room() {
        let mut writes = Writes::default();
        writes.add(seat(1), WriteId(1), [entry(1)]);
        writes.add(seat(2), WriteId(1), [cell(1)]);
        assert_eq!(machines(writes.begin(NOW)), [(1, 1), (2, 1)]);
        writes.add(seat(2), WriteId(2), [cell(1), cell(2)]);
        writes.put_off(NOW);
        assert_eq!(machines(writes.begin(NOW)), [(2, 3)], "in the order in which they were made");
        assert_eq!(writes.finish(), [(seat(2), WriteId(2))]);
        assert!(writes.is_put_off() && !writes.is_idle());

        writes.add(seat(1), WriteId(2), [cell(1)]);
        writes.add(seat(2), WriteId(3), [entry(1)]);
        writes.add(seat(3), WriteId(1), [cell(1)]);
        assert_eq!(machines(writes.begin(NOW)), [(3, 1)], "a machine writes nothing before what was put off");
        writes.finish();
        assert_eq!(machines(writes.begin(NOW)), []);
        writes.retry();
        assert_eq!(machines(writes.begin(NOW)), [(1, 1)]);
        assert_eq!(writes.finish(), [(seat(1), WriteId(1))]);
        assert_eq!(machines(writes.begin(NOW)), [(1, 1), (2, 1)]);
        writes.finish();
        assert!(writes.is_idle());
    }

    #[test]
    fn what_is_refused_again_waits_again() {
        let mut writes = Writes::default();
        writes.add(seat(1), WriteId(1), [entry(1)]);
        writes.begin(NOW);
        writes.put_off(NOW);
        assert_eq!(machines(writes.begin(NOW)), []);
        let later = writes.retry_at().expect("it is tried again");
        assert_eq!(machines(writes.begin(later)), [(1, 1)]);
        writes.put_off(later);
        assert!(writes.is_put_off() && writes.retry_at() == Some(later.after(RETRY)));
        // Not even what needs no room for entries is taken: it waits too, and is not tried in a circle.
        writes.add(seat(2), WriteId(1), [cell(1)]);
        assert_eq!(machines(writes.begin(later)), [(2, 1)]);
        writes.put_off(later);
        assert_eq!(machines(writes.begin(later)), []);
        writes.retry();
        assert_eq!(machines(writes.begin(later)), [(1, 1), (2, 1)]);
    }

    #[test]
    fn who_is_evicted_goes_and_the_others_are_written_again() {
        let mut writes = Writes::default();
        writes.add(seat(1), WriteId(1), [entry(1)]);
        writes.add(seat(2), WriteId(1), [entry(1)]);
        writes.begin(NOW);
        writes.add(seat(1), WriteId(2), [entry(2)]);
        writes.add(seat(2), WriteId(2), [entry(2)]);
        assert_eq!(writes.evict(|machine, _| machine == MachineId(1)), [seat(1)]);
        assert_eq!(machines(writes.begin(NOW)), [(2, 2)]);
    }
}
