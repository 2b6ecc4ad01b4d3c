//! Link sessions between simulated nodes: up, down after a silence, and up again with another session.
//!
//! Carries no messages. A link closes for both ends when either direction has been broken for the idle timeout, as a
//! connection does whose keep-alives are lost or unanswered.

use std::time::Duration;

use crate::types::{NodeId, SessionId};

/// How links notice that they are broken or whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// The silence after which both ends give a session up.
    pub idle_timeout: Duration,
    /// The time that a new session takes once the path is whole.
    pub reconnect: Duration,
}

/// Two different nodes, by their position in the world; the first is the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair(pub(super) usize, pub(super) usize);

/// What has to be planned after a link changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkPlan {
    /// Nothing.
    Nothing,
    /// Ask [`Links::expire`] after the idle timeout, with this generation.
    Expire(u64),
    /// Ask [`Links::connect`] after the time of a reconnect, with this generation.
    Connect(u64),
}

#[derive(Clone, Debug, Default)]
struct Link {
    session: Option<SessionId>,
    broken: bool,
    generation: u64,
}

/// The links between all nodes.
#[derive(Clone, Debug)]
pub(super) struct Links {
    size: usize,
    links: Vec<Link>,
    last_session: SessionId,
}

impl Links {
    /// Links between `size` nodes, none of them up.
    #[must_use]
    pub(super) fn new(size: usize) -> Self {
        let broken = Link { broken: true, ..Link::default() };
        Self { size, links: vec![broken; size * size], last_session: SessionId::ZERO }
    }

    /// Notes whether the path between two nodes is broken, and says what that leads to.
    pub(super) fn observe(&mut self, pair: Pair, broken: bool) -> LinkPlan {
        let link = self.link(pair);
        if link.broken == broken {
            return LinkPlan::Nothing;
        }
        link.broken = broken;
        link.generation += 1;
        match (broken, link.session) {
            (true, Some(_)) => LinkPlan::Expire(link.generation),
            (false, None) => LinkPlan::Connect(link.generation),
            (true, None) | (false, Some(_)) => LinkPlan::Nothing,
        }
    }

    /// Gives the session up if the link has been broken since `generation` was planned; true if both ends hear of it.
    pub(super) fn expire(&mut self, pair: Pair, generation: u64) -> bool {
        let link = self.link(pair);
        link.generation == generation && link.session.take().is_some()
    }

    /// Starts a session if the link has been whole since `generation` was planned.
    pub(super) fn connect(&mut self, pair: Pair, generation: u64) -> Option<SessionId> {
        let next = self.last_session.next();
        let link = self.link(pair);
        if link.generation != generation || link.session.is_some() {
            return None;
        }
        link.session = Some(next);
        self.last_session = next;
        Some(next)
    }

    /// Ends the session because one end started anew; true if there was one. The link connects again when it is whole.
    pub(super) fn reset(&mut self, pair: Pair) -> bool {
        let link = self.link(pair);
        link.broken = true;
        link.generation += 1;
        link.session.take().is_some()
    }

    /// The session between two nodes, by position.
    #[must_use]
    pub(super) fn session(&self, one: usize, other: usize) -> Option<SessionId> {
        self.links[one.min(other) * self.size + one.max(other)].session
    }

    /// Every pair of nodes.
    pub(super) fn pairs(&self) -> impl Iterator<Item = Pair> + use<> {
        let size = self.size;
        (0..size).flat_map(move |one| (one + 1..size).map(move |other| Pair(one, other)))
    }

    fn link(&mut self, pair: Pair) -> &mut Link {
        &mut self.links[pair.0 * self.size + pair.1]
    }
}

/// The two ends of a pair, each with its peer, as node ids counted from 1.
#[must_use]
pub(super) fn ends(pair: Pair) -> [(NodeId, NodeId); 2] {
    let (one, other) = (NodeId(pair.0 as u64 + 1), NodeId(pair.1 as u64 + 1));
    [(one, other), (other, one)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: Pair = Pair(0, 1);

    #[test]
    fn a_cut_shorter_than_the_idle_timeout_keeps_the_session() {
        let mut links = Links::new(2);
        let LinkPlan::Connect(generation) = links.observe(PAIR, false) else { panic!("no connect planned") };
        let first = links.connect(PAIR, generation).expect("whole and without session");
        let LinkPlan::Expire(stale) = links.observe(PAIR, true) else { panic!("no expiry planned") };
        assert_eq!(links.observe(PAIR, false), LinkPlan::Nothing);
        assert!(!links.expire(PAIR, stale), "healed in time");
        assert_eq!(links.session(1, 0), Some(first));
        let LinkPlan::Expire(generation) = links.observe(PAIR, true) else { panic!("no expiry planned") };
        assert!(links.expire(PAIR, generation));
        assert_eq!(links.session(0, 1), None);
        let LinkPlan::Connect(generation) = links.observe(PAIR, false) else { panic!("no connect planned") };
        assert!(links.connect(PAIR, generation).expect("whole again") > first);
    }
}
