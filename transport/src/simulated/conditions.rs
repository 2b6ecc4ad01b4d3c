//! What the simulated network does to each datagram. Decides only; [`super::Network`] carries out.

use std::time::Duration;

use crate::peer::PeerName;

/// Decides what becomes of datagrams. Called under the network's lock: it must not call the network.
pub trait Conditions: Send + 'static {
    /// What becomes of a datagram on the way `from` → `to`: calls `deliver` for each copy that arrives, with its delay and its bytes,
    /// which may be others than were sent. `to` may be a host on which nothing runs.
    fn carry(
        &mut self,
        from: &PeerName,
        to: &PeerName,
        datagram: &[u8],
        deliver: &mut dyn FnMut(Duration, &[u8]),
    );
}

/// A network on which every datagram takes the same time and none is lost or changed.
#[derive(Clone, Copy, Debug)]
pub struct Calm(
    /// How long each takes.
    pub Duration,
);

impl Conditions for Calm {
    fn carry(
        &mut self,
        _from: &PeerName,
        _to: &PeerName,
        datagram: &[u8],
        deliver: &mut dyn FnMut(Duration, &[u8]),
    ) {
        deliver(self.0, datagram);
    }
}
