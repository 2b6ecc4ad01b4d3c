//! Operations of one kind in the order in which they have to be done, and which of them a search has done.
//!
//! Knows nothing of what they do. Those without a return need never be done.

use crate::sim::check::symbols::Symbol;
use crate::types::Timestamp;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) returned: Timestamp,
    pub(super) invoked: Timestamp,
    /// The item it puts in or took; `None` when nobody knows which.
    pub(super) item: Option<Symbol>,
    /// Its position among the operations given; `None` for an item that was there at first.
    pub(super) origin: Option<usize>,
}

/// Operations, those first that return first.
#[derive(Clone, Debug)]
pub(super) struct Track {
    dues: Vec<Due>,
    /// How many of them return; the others follow, the one first that was invoked first.
    known: usize,
    /// By position, the earliest invocation from there on, among those that return.
    earliest: Vec<Timestamp>,
}

/// Which operations of a track are done.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Done {
    /// All before this one are.
    first: usize,
    /// Of those behind it, these are, ascending.
    beyond: Vec<u32>,
}

impl Track {
    /// Lays operations out.
    pub(super) fn new(mut dues: Vec<Due>) -> Self {
        dues.sort_unstable();
        let known = dues.partition_point(|due| due.returned != Timestamp::NEVER);
        let mut earliest: Vec<Timestamp> = dues[..known].iter().map(|due| due.invoked).collect();
        for position in (1..known).rev() {
            earliest[position - 1] = earliest[position - 1].min(earliest[position]);
        }
        Self { dues, known, earliest }
    }

    /// An operation.
    pub(super) fn due(&self, position: usize) -> &Due {
        &self.dues[position]
    }

    /// How many return.
    pub(super) fn known(&self) -> usize {
        self.known
    }

    /// When the first of those that are not done returns.
    pub(super) fn deadline(&self, done: &Done) -> Timestamp {
        self.dues.get(done.first).map_or(Timestamp::NEVER, |due| due.returned)
    }

    /// Whether all that return are done.
    pub(super) fn is_over(&self, done: &Done) -> bool {
        done.first >= self.known
    }

    /// Those that are not done and were invoked up to `bound`: of each item the one that returns first. With an equal item in each,
    /// an order that takes another one first is as good with the two changed for each other.
    pub(super) fn open(&self, done: &Done, bound: Timestamp) -> Vec<usize> {
        let mut open: Vec<usize> = Vec::new();
        let returning = (done.first..self.known).take_while(|&position| self.earliest[position] <= bound);
        let others =
            (self.known..self.dues.len()).take_while(|&position| self.dues[position].invoked <= bound);
        for position in returning.chain(others) {
            let due = &self.dues[position];
            let first = !open.iter().any(|&other| self.dues[other].item == due.item);
            if first && due.invoked <= bound && !done.has(position) {
                open.push(position);
            }
        }
        open
    }

    /// Notes that an operation is done.
    pub(super) fn finish(&self, done: &mut Done, position: usize) {
        if let Err(place) = done.beyond.binary_search(&(position as u32)) {
            done.beyond.insert(place, position as u32);
        }
        let passed = done.beyond.iter().zip(done.first..).take_while(|(own, next)| **own as usize == *next);
        let passed = passed.count();
        done.beyond.drain(..passed);
        done.first += passed;
    }
}

impl Done {
    /// Whether an operation is done.
    pub(super) fn has(&self, position: usize) -> bool {
        position < self.first || self.beyond.binary_search(&(position as u32)).is_ok()
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.beyond.len() * size_of::<u32>()
    }
}
