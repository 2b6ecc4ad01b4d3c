//! What the simulated network does to each batch and each dial. Decides only; [`super::Network`] carries out.

use std::time::Duration;

use crate::peer::PeerName;

/// Decides what happens to what nodes send each other. Called under the network's lock: it must not call the network.
pub trait Conditions: Send + 'static {
    /// What becomes of `bytes` bytes on the way `from` → `to`: a batch of a lane, a chunk of bulk, a datagram, or a sign of life (0 bytes).
    fn route(&mut self, from: &PeerName, to: &PeerName, bytes: usize) -> Verdict;

    /// What becomes of a dial. The default asks both directions for a sign of life: a cut one way suffices to fail it.
    fn dial(&mut self, from: &PeerName, to: &PeerName) -> DialVerdict {
        match (self.route(from, to, 0), self.route(to, from, 0)) {
            (Verdict::Deliver(there), Verdict::Deliver(back)) => DialVerdict::Reachable(there + back),
            _ => DialVerdict::Unreachable,
        }
    }
}

/// What becomes of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It arrives after this delay, never before an earlier batch of its lane.
    Deliver(Duration),
    /// It does not get through. As QUIC would, the link tries again until it does or the idle timeout ends it;
    /// a datagram is gone. A cut gives this for as long as it lasts, for one direction or both.
    Held,
    /// The link breaks, and both ends learn it at once.
    Broken,
}

/// What becomes of one dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialVerdict {
    /// It is answered after this time.
    Reachable(Duration),
    /// It is not answered within the connect timeout.
    Unreachable,
}

/// A network on which everything takes the same time and nothing fails.
#[derive(Clone, Copy, Debug)]
pub struct Calm(
    /// How long everything takes, one way.
    pub Duration,
);

impl Conditions for Calm {
    fn route(&mut self, _from: &PeerName, _to: &PeerName, _bytes: usize) -> Verdict {
        Verdict::Deliver(self.0)
    }
}
