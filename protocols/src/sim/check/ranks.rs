//! Which items of a queue can be the n-th to come out, and so the n-th to go in.
//!
//! Without it, a search notices only when an item comes out that two were put in the wrong way round, long after and one order of
//! everything in between at a time.

use std::collections::BTreeSet;

use crate::sim::check::deed::Deed;
use crate::sim::check::span::Span;
use crate::sim::check::symbols::Symbol;
use crate::types::Timestamp;

/// The items that can have each rank, from the first.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    items: Vec<BTreeSet<Symbol>>,
}

impl Ranks {
    /// What the dequeues of a history allow. Ranks that perhaps nobody took, or somebody who never heard what, are free.
    pub(super) fn of(deeds: &[Deed], spans: &[Span]) -> Self {
        let taken: Vec<(Symbol, &Span)> = deeds
            .iter()
            .zip(spans)
            .filter_map(|(deed, span)| match deed {
                Deed::Dequeue(Some(item)) if *item != Symbol::NIL => Some((*item, span)),
                _ => None,
            })
            .collect();
        let mut invoked: Vec<Timestamp> = taken.iter().map(|(_, span)| span.invoked).collect();
        let mut returned: Vec<Timestamp> = taken.iter().map(|(_, span)| span.returned).collect();
        invoked.sort_unstable();
        returned.sort_unstable();
        let before = |instant: Timestamp| returned.partition_point(|end| *end < instant);
        let doubts = deeds.iter().zip(spans).filter(|(deed, _)| matches!(deed, Deed::Dequeue(None)));
        let sure = doubts.map(|(_, span)| before(span.invoked)).min().unwrap_or(taken.len());
        let mut items = vec![BTreeSet::new(); sure];
        for (item, span) in taken {
            let behind = invoked.partition_point(|begin| *begin <= span.returned);
            for items in items.iter_mut().take(behind).skip(before(span.invoked)) {
                items.insert(item);
            }
        }
        Self { items }
    }

    /// Whether an item can be at a rank.
    pub(super) fn allow(&self, rank: usize, item: Symbol) -> bool {
        self.items.get(rank).is_none_or(|items| items.contains(&item))
    }
}
