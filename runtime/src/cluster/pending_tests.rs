//! Who waits for an answer gets it, once, or the reason why there is none.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::Wake;

use bytes::Bytes;

use super::*;
use crate::cluster::answer::Body;

fn body(text: &'static str) -> Answer {
    Ok(Body::of(Bytes::from_static(text.as_bytes())))
}

fn look(pending: &Pending, correlation: u64) -> Option<Answer> {
    match pending.poll(correlation, &mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

fn enter(pending: &Pending, deadline: u64) -> u64 {
    pending.enter(Timestamp(deadline)).expect("the link is there").0
}

#[test]
fn the_late_fail_and_the_rest_wait() {
    let pending = Pending::default();
    let (early, sooner) = pending.enter(Timestamp(10)).unwrap();
    assert!(sooner);
    let (later, sooner) = pending.enter(Timestamp(20)).unwrap();
    assert!(!sooner);
    let (never, _) = pending.enter(Timestamp::NEVER).unwrap();
    pending.expire(Timestamp(10));
    assert_eq!(look(&pending, early), Some(Err(AskError::unknown(Cause::Timeout))));
    assert_eq!(look(&pending, later), None);
    assert_eq!(pending.due(), Some(Timestamp(20)));
    assert!(pending.answer(later, body("x")));
    assert!(!pending.answer(later, body("y")), "an answer that comes twice is nobody's");
    assert_eq!(look(&pending, later), Some(body("x")));
    assert!(!pending.answer(later, body("z")));
    pending.expire(Timestamp(1_000));
    assert_eq!(pending.due(), None);
    pending.close();
    assert_eq!(look(&pending, never), Some(Err(AskError::unknown(Cause::LinkLost))));
    assert!(pending.enter(Timestamp(1)).is_none());
}

#[test]
fn a_place_is_used_again_and_an_answer_to_who_was_there_before_is_nobodys() {
    let pending = Pending::default();
    let before = enter(&pending, 10);
    assert!(pending.withdraw(before) && !pending.withdraw(before));
    let next = enter(&pending, 10);
    assert_eq!(index_of(next), index_of(before));
    assert_ne!(next, before);
    assert!(!pending.answer(before, body("late")));
    assert!(!pending.withdraw(before));
    assert_eq!(look(&pending, next), None);
    for correlation in [0, u64::MAX, next + 1, 1 << PLACE_BITS | 70] {
        assert!(!pending.answer(correlation, body("a lie")), "{correlation}");
    }
    assert!(pending.answer(next, body("in time")));
    assert!(!pending.withdraw(next), "it was answered");
    assert_eq!(index_of(enter(&pending, 10)), index_of(before), "an answer that nobody took keeps no place");
    assert_eq!(pending.desk().opened, 1);
}

#[test]
fn there_are_as_many_places_as_requests_at_once() {
    let pending = Pending::default();
    for round in 1..=2 {
        let all: BTreeSet<_> = (0..1_000).map(|_| enter(&pending, 10)).collect();
        let places: BTreeSet<_> = all.iter().map(|correlation| index_of(*correlation)).collect();
        assert_eq!(places.len(), 1_000);
        assert!(all.iter().all(|one| index_of(*one) < 1_000 && one >> PLACE_BITS == round));
        assert!(all.into_iter().all(|correlation| pending.withdraw(correlation)));
    }
    assert_eq!(pending.desk().opened, 1_000);
    let positions = [0, 63, 64, 191, 192].map(position);
    assert_eq!(positions, [(0, 0), (0, 63), (1, 0), (1, 127), (2, 0)]);
    assert!(position((1 << PLACE_BITS) - 1).0 >= ROWS, "every place has a name of its own");
}

#[test]
fn what_fails_together_fails_in_the_order_in_which_it_was_asked() {
    struct Told(usize, Arc<Mutex<Vec<usize>>>);
    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }
    let (pending, order) = (Pending::default(), Arc::new(Mutex::new(Vec::new())));
    // Places come back in another order than that of their numbers.
    let before: Vec<_> = (0..50).map(|_| enter(&pending, 10)).collect();
    assert!(before.into_iter().all(|correlation| pending.withdraw(correlation)));
    for number in 0..100 {
        let correlation = enter(&pending, 10);
        let waker = Arc::new(Told(number, order.clone())).into();
        assert!(pending.poll(correlation, &mut Context::from_waker(&waker)).is_pending());
    }
    pending.expire(Timestamp(10));
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
}
