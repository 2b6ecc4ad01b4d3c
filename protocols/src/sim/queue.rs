//! The one queue of a simulated world: events by time, and among equal times by the order in which they were planned.
//!
//! Knows nothing of what an event means.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::types::Timestamp;

/// A queue of events in virtual time. Events stay where they are put; only small keys move.
#[derive(Clone, Debug)]
pub(super) struct Queue<E> {
    order: BinaryHeap<Reverse<(Timestamp, u64, u32)>>,
    events: Vec<Option<E>>,
    free: Vec<u32>,
    planned: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { order: BinaryHeap::new(), events: Vec::new(), free: Vec::new(), planned: 0 }
    }
}

impl<E> Queue<E> {
    /// Plans an event.
    pub(super) fn push(&mut self, at: Timestamp, event: E) {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.events.push(None);
                u32::try_from(self.events.len() - 1).expect("fewer than 2^32 events wait at once")
            }
        };
        self.events[slot as usize] = Some(event);
        self.planned += 1;
        self.order.push(Reverse((at, self.planned, slot)));
    }

    /// Takes the next event.
    pub(super) fn pop(&mut self) -> Option<(Timestamp, E)> {
        let Reverse((at, _, slot)) = self.order.pop()?;
        let event = self.events[slot as usize].take().expect("a slot in the order holds its event");
        self.free.push(slot);
        Some((at, event))
    }

    /// When the next event is due.
    #[must_use]
    pub(super) fn next_time(&self) -> Option<Timestamp> {
        self.order.peek().map(|Reverse((at, _, _))| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_in_the_order_planned() {
        let mut queue = Queue::default();
        for (at, name) in [(5, "a"), (3, "b"), (5, "c"), (1, "d")] {
            queue.push(Timestamp(at), name);
        }
        assert_eq!(queue.pop(), Some((Timestamp(1), "d")));
        queue.push(Timestamp(3), "e");
        let rest: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|(_, name)| name).collect();
        assert_eq!(rest, ["b", "e", "a", "c"]);
    }
}
