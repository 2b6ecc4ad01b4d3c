//! Which actors of this node share their end with which others: a table of halves.
//!
//! Each node keeps the halves of its own actors. What a half does stands elsewhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::target::Target;

/// How many halves a node keeps at most; beyond, a bond is refused.
const HALVES_MAX: usize = 1 << 20;

/// The halves.
#[derive(Default)]
pub(crate) struct Bonds {
    halves: Mutex<BTreeMap<Half, oneshot::Sender<()>>>,
}

/// One end of a bond.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Half {
    /// The actor of this node.
    pub(crate) own: u64,
    pub(crate) other: Target,
}

/// What became of an entry.
pub(crate) enum Entered {
    /// What is given completes when the half is taken out.
    Fresh(oneshot::Receiver<()>),
    Known,
    Full,
}

impl Bonds {
    /// Enters a half, once however often.
    pub(crate) fn enter(&self, half: &Half) -> Entered {
        let mut halves = self.lock();
        if halves.contains_key(half) {
            return Entered::Known;
        }
        if halves.len() >= HALVES_MAX {
            return Entered::Full;
        }
        let (kept, loosened) = oneshot::channel();
        halves.insert(half.clone(), kept);
        Entered::Fresh(loosened)
    }

    /// Takes a half out.
    pub(crate) fn leave(&self, half: &Half) {
        let _loosened = self.lock().remove(half);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Half, oneshot::Sender<()>>> {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
