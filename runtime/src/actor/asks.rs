//! Those who asked an actor of their own node and wait for its answer, kept in the actor's feed: until when, whom to wake then, and what
//! went wrong.
//!
//! No timer per ask and no memory of its own: entering one costs what appending its message to the feed costs. Who finds out that a
//! deadline has passed is the node's sweeper. Asks over a link stand in `cluster::Pending`.

use std::num::NonZeroU32;
use std::task::Waker;

use synod_protocols::Timestamp;

use crate::error::{AskError, Cause};

/// Names one ask of one feed, and never another one later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AskId {
    place: u32,
    generation: NonZeroU32,
}

/// An ask that was entered.
pub(crate) struct Entered {
    pub(crate) ask: AskId,
    /// Its deadline, if that is earlier than any that was known.
    pub(crate) due: Option<Timestamp>,
}

/// The table.
#[derive(Default)]
pub(crate) struct Asks {
    places: Vec<Place>,
    free: Vec<u32>,
    /// Not later than the earliest deadline; `None` when none is known.
    due: Option<Timestamp>,
}

struct Place {
    generation: NonZeroU32,
    asker: Option<Asker>,
}

struct Asker {
    deadline: Timestamp,
    task: Waker,
    /// Why there will be no answer, told before what would have carried it is dropped.
    fault: Option<AskError>,
}

impl Asks {
    /// Enters an ask.
    pub(crate) fn enter(&mut self, deadline: Timestamp, task: &Waker) -> Entered {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: NonZeroU32::MIN, asker: None });
            self.places.len() as u32 - 1
        });
        let vacant = &mut self.places[place as usize];
        vacant.asker = Some(Asker { deadline, task: task.clone(), fault: None });
        let sooner = deadline != Timestamp::NEVER && self.due.is_none_or(|due| deadline < due);
        if sooner {
            self.due = Some(deadline);
        }
        Entered { ask: AskId { place, generation: vacant.generation }, due: sooner.then_some(deadline) }
    }

    /// The ask is over; gives what went wrong, if something did.
    pub(crate) fn leave(&mut self, ask: AskId) -> Option<AskError> {
        let place =
            self.places.get_mut(ask.place as usize).filter(|place| place.generation == ask.generation)?;
        let asker = place.asker.take()?;
        // A place that has had so many is left empty for good.
        if let Some(next) = place.generation.checked_add(1) {
            place.generation = next;
            self.free.push(ask.place);
        }
        asker.fault
    }

    /// The asker goes on waiting, in this task; gives what went wrong, if something did.
    pub(crate) fn stay(&mut self, ask: AskId, task: &Waker) -> Option<AskError> {
        let asker = self.find(ask)?;
        if !asker.task.will_wake(task) {
            asker.task.clone_from(task);
        }
        asker.fault
    }

    /// There will be no answer. Whoever says so drops the answer's sender afterwards, by which the asker is woken. The first fault is
    /// the one that happened.
    pub(crate) fn tell(&mut self, ask: AskId, fault: AskError) {
        if let Some(asker) = self.find(ask) {
            asker.fault.get_or_insert(fault);
        }
    }

    /// Tells those who have waited for too long; gives whom to wake, and when to come again.
    pub(crate) fn expire(&mut self, now: Timestamp) -> (Vec<Waker>, Option<Timestamp>) {
        let (mut late, mut due) = (Vec::new(), None);
        for asker in self.places.iter_mut().filter_map(|place| place.asker.as_mut()) {
            if asker.deadline <= now {
                asker.fault.get_or_insert(AskError::unknown(Cause::Timeout));
                late.push(asker.task.clone());
            } else if asker.deadline != Timestamp::NEVER {
                due = Some(due.map_or(asker.deadline, |due: Timestamp| due.min(asker.deadline)));
            }
        }
        self.due = due;
        (late, due)
    }

    fn find(&mut self, ask: AskId) -> Option<&mut Asker> {
        let place = self.places.get_mut(ask.place as usize)?;
        place.asker.as_mut().filter(|_| place.generation == ask.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOPPED: AskError = AskError::not_executed(Cause::Stopped);
    const LATE: AskError = AskError::unknown(Cause::Timeout);

    fn enter(asks: &mut Asks, deadline: u64) -> (AskId, Option<Timestamp>) {
        let Entered { ask, due } = asks.enter(Timestamp(deadline), Waker::noop());
        (ask, due)
    }

    #[test]
    fn the_late_are_told_and_the_rest_wait() {
        let mut asks = Asks::default();
        let (first, due) = enter(&mut asks, 20);
        assert_eq!(due, Some(Timestamp(20)));
        let (second, due) = enter(&mut asks, 10);
        assert_eq!(due, Some(Timestamp(10)));
        let (third, due) = enter(&mut asks, 10);
        assert_eq!(due, None, "that moment is known");
        let (patient, due) = enter(&mut asks, Timestamp::NEVER.0);
        assert_eq!(due, None);
        assert_eq!(asks.leave(third), None);
        let (late, due) = asks.expire(Timestamp(10));
        assert_eq!((late.len(), due), (1, Some(Timestamp(20))));
        assert_eq!([asks.leave(first), asks.leave(second)], [None, Some(LATE)]);
        let (late, due) = asks.expire(Timestamp(u64::MAX - 1));
        assert_eq!((late.len(), due), (0, None));
        assert_eq!(asks.leave(patient), None);
        assert_eq!(
            enter(&mut asks, 30).1,
            Some(Timestamp(30)),
            "nothing is known of deadlines that have gone"
        );
    }

    #[test]
    fn what_went_wrong_is_told_to_the_one_who_asked() {
        let mut asks = Asks::default();
        let (gone, _) = enter(&mut asks, 10);
        assert_eq!(asks.leave(gone), None);
        let (heir, _) = enter(&mut asks, 10);
        assert_ne!(gone, heir);
        asks.tell(gone, STOPPED);
        assert_eq!(asks.stay(heir, Waker::noop()), None, "it was another one's");
        assert_eq!([asks.stay(gone, Waker::noop()), asks.leave(gone)], [None, None]);
        asks.tell(heir, STOPPED);
        asks.expire(Timestamp(10));
        assert_eq!(asks.stay(heir, Waker::noop()), Some(STOPPED), "the first fault stands");
        assert_eq!(asks.leave(heir), Some(STOPPED));
        assert_eq!(asks.places.len(), 1, "places are used again");
    }
}
