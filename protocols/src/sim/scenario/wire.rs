//! What is between the nodes: messages in flight, in the order in which they were sent, and what stops them.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::sim::image::Snapshot;
use crate::sim::scenario::dialect::Dialect;
use crate::sim::scenario::selection::Selection;
use crate::types::{NodeId, Timestamp};

/// A message on its way.
#[derive(Clone, Debug)]
pub(super) struct Parcel<P: Dialect> {
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    pub(super) message: P::Message,
    /// What travels with it.
    pub(super) snapshot: Option<Snapshot>,
    /// When it arrives, if nothing holds it up.
    pub(super) due: Timestamp,
}

impl<P: Dialect> Parcel<P> {
    pub(super) fn words(&self) -> String {
        let size = self.snapshot.as_ref().map_or(String::new(), |snapshot| {
            format!(" with snapshot {}@{}", snapshot.meta.index, snapshot.meta.term)
        });
        format!("{}{size}", P::say(&self.message))
    }
}

/// The paths between nodes.
#[derive(Clone, Debug)]
pub(super) struct Wire<P: Dialect> {
    flight: Vec<Parcel<P>>,
    /// Directed paths on which whatever is sent is lost.
    cut: BTreeSet<(NodeId, NodeId)>,
    holds: Vec<Selection>,
    pub(super) delay: Duration,
}

impl<P: Dialect> Default for Wire<P> {
    fn default() -> Self {
        Self { flight: Vec::new(), cut: BTreeSet::new(), holds: Vec::new(), delay: Duration::ZERO }
    }
}

impl<P: Dialect> Wire<P> {
    pub(super) fn send(&mut self, parcel: Parcel<P>) {
        self.flight.push(parcel);
    }

    /// The places of the messages that are meant.
    pub(super) fn find(&self, selection: &Selection) -> Vec<usize> {
        let matches =
            |parcel: &Parcel<P>| selection.matches(parcel.from, parcel.to, P::kind(&parcel.message));
        let matching = self.flight.iter().enumerate().filter(|(_, parcel)| matches(parcel));
        selection.chosen(matching.map(|(place, _)| place).collect())
    }

    pub(super) fn at(&self, place: usize) -> Option<&Parcel<P>> {
        self.flight.get(place)
    }

    /// Takes the message at a place.
    pub(super) fn take(&mut self, place: usize) -> Option<Parcel<P>> {
        (place < self.flight.len()).then(|| self.flight.remove(place))
    }

    /// Takes the first message that has arrived by `now` and that nothing holds up.
    pub(super) fn arrival(
        &mut self,
        now: Timestamp,
        is_waiting: impl Fn(NodeId) -> bool,
    ) -> Option<Parcel<P>> {
        let free = |parcel: &Parcel<P>| parcel.due <= now && !is_waiting(parcel.to) && !self.is_held(parcel);
        let place = self.flight.iter().position(free)?;
        self.take(place)
    }

    /// When the next message arrives that nothing holds up.
    pub(super) fn next_arrival(&self, is_waiting: impl Fn(NodeId) -> bool) -> Option<Timestamp> {
        let free = |parcel: &&Parcel<P>| !is_waiting(parcel.to) && !self.is_held(parcel);
        self.flight.iter().filter(free).map(|parcel| parcel.due).min()
    }

    pub(super) fn is_held(&self, parcel: &Parcel<P>) -> bool {
        self.holds.iter().any(|hold| hold.matches(parcel.from, parcel.to, P::kind(&parcel.message)))
    }

    pub(super) fn hold(&mut self, selection: Selection) {
        self.holds.push(selection);
    }

    /// Forgets a hold, or all of them. Says whether there was one.
    pub(super) fn release(&mut self, selection: Option<&Selection>) -> bool {
        let before = self.holds.len();
        self.holds.retain(|hold| selection.is_some_and(|released| hold != released));
        self.holds.len() < before
    }

    pub(super) fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.cut.contains(&(from, to))
    }

    pub(super) fn cut(&mut self, from: NodeId, to: NodeId) {
        self.cut.insert((from, to));
    }

    pub(super) fn heal(&mut self, from: NodeId, to: NodeId) {
        self.cut.remove(&(from, to));
    }
}
