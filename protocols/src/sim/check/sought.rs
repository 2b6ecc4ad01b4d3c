//! Until when a perhaps written value can explain an answer.
//!
//! Once all operations that speak of a value have their place, an order with one more write of it is as good without that write: what
//! it would hide, nobody has to see hidden. So a write of unknown outcome is not worth trying after that.

use std::collections::BTreeMap;

use crate::sim::check::deed::{Deed, Step};
use crate::sim::check::span::Span;
use crate::sim::check::symbols::Symbol;
use crate::types::Timestamp;

/// Values by the register they are in (the first, if there is one alone), and when the last operation that speaks of them returns.
#[derive(Debug, Default)]
pub(super) struct Sought {
    until: BTreeMap<(usize, Symbol), Timestamp>,
    /// When the last one returns that is glad of any value but its own.
    any: Option<Timestamp>,
}

impl Sought {
    /// What the operations of a history speak of.
    pub(super) fn of(deeds: &[Deed], spans: &[Span]) -> Self {
        let mut sought = Self::default();
        for (deed, span) in deeds.iter().zip(spans) {
            sought.learn(deed, span.returned);
        }
        sought
    }

    /// Until when an operation can explain something, were it done; `None` when it never can.
    pub(super) fn until(&self, deed: &Deed) -> Option<Timestamp> {
        match deed {
            Deed::Write(new) | Deed::CompareAndSet { new, .. } => self.value(0, *new).max(self.any),
            Deed::Insert(element) => self.value(0, *element),
            Deed::Enqueue(item) => self.value(0, *item),
            Deed::Transact(steps) => steps
                .iter()
                .filter_map(|step| match step {
                    Step::Write(place, new) => self.value(*place, *new),
                    Step::Read(..) => None,
                })
                .max(),
            Deed::WriteText(_)
            | Deed::Append(_)
            | Deed::Add(_)
            | Deed::Dequeue(_)
            | Deed::Acquire
            | Deed::Release => Some(Timestamp::NEVER),
            Deed::Read(_) | Deed::ReadText(_) | Deed::ReadTotal(_) | Deed::ReadElements(_) => None,
        }
    }

    fn value(&self, place: usize, symbol: Symbol) -> Option<Timestamp> {
        self.until.get(&(place, symbol)).copied()
    }

    fn learn(&mut self, deed: &Deed, returned: Timestamp) {
        match deed {
            Deed::Read(Some(seen)) | Deed::Dequeue(Some(seen)) => self.seek(0, *seen, returned),
            Deed::CompareAndSet { swapped: Some(false), .. } => self.any = self.any.max(Some(returned)),
            Deed::CompareAndSet { expected, .. } => self.seek(0, *expected, returned),
            Deed::ReadElements(Some(seen)) => {
                seen.iter().for_each(|element| self.seek(0, Symbol(element), returned));
            }
            Deed::Transact(steps) => {
                for step in steps {
                    if let Step::Read(place, Some(seen)) = step {
                        self.seek(*place, *seen, returned);
                    }
                }
            }
            Deed::Read(None)
            | Deed::Dequeue(None)
            | Deed::ReadElements(None)
            | Deed::Write(_)
            | Deed::ReadText(_)
            | Deed::WriteText(_)
            | Deed::Append(_)
            | Deed::ReadTotal(_)
            | Deed::Add(_)
            | Deed::Insert(_)
            | Deed::Enqueue(_)
            | Deed::Acquire
            | Deed::Release => {}
        }
    }

    fn seek(&mut self, place: usize, symbol: Symbol, returned: Timestamp) {
        let until = self.until.entry((place, symbol)).or_insert(returned);
        *until = returned.max(*until);
    }
}
