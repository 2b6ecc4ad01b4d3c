//! The actors of this node whose feeds keep account of one peer, in the order in which they began to: so that accounts that lie idle
//! can be closed when there are many, and all of them when the link ends.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// How many actors keep account of one peer, beside those in whose feeds something of it waits.
const KEPT_MAX: usize = 1 << 12;

/// The actors.
#[derive(Default)]
pub(crate) struct Owing {
    actors: Mutex<VecDeque<u64>>,
}

impl Owing {
    /// One more keeps account; gives those whose accounts are to be closed if they lie idle. Enter them anew if they do not.
    pub(crate) fn enter(&self, actor: u64) -> [Option<u64>; 2] {
        let mut actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        actors.push_back(actor);
        // Two for each that comes, so that busy ones in front do not make it longer and longer.
        [(); 2].map(|()| if actors.len() > KEPT_MAX { actors.pop_front() } else { None })
    }

    /// One that was looked at in vain.
    pub(crate) fn enter_again(&self, actor: u64) {
        self.actors.lock().unwrap_or_else(PoisonError::into_inner).push_back(actor);
    }

    /// All of them: the link has ended.
    pub(crate) fn take(&self) -> VecDeque<u64> {
        std::mem::take(&mut *self.actors.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_looked_at_first_once_there_are_too_many() {
        let owing = Owing::default();
        for actor in 0..KEPT_MAX as u64 {
            assert_eq!(owing.enter(actor), [None, None]);
        }
        assert_eq!(owing.enter(9_000), [Some(0), None]);
        owing.enter_again(0);
        assert_eq!(owing.enter(9_001), [Some(1), Some(2)]);
        assert_eq!(owing.take().len(), KEPT_MAX);
        assert_eq!(owing.enter(1), [None, None]);
    }
}
