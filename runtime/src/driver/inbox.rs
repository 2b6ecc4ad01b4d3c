//! What the transport tells a driver, put into its feed.

use std::sync::Arc;

use bytes::Bytes;
use synod_protocols::{NodeId, Protocol, SessionId};
use synod_transport::BulkReceiver;

use crate::cluster::Inbox;
use crate::driver::feed::{Arrival, Feed, Refused};
use crate::driver::meters::Meters;

/// The transport's side of a feed.
pub(crate) struct FeedInbox<P: Protocol> {
    pub(crate) feed: Arc<Feed<P>>,
    pub(crate) meters: Meters,
}

impl<P: Protocol> FeedInbox<P> {
    fn push(&self, from: NodeId, bytes: usize, arrival: Arrival<P>) {
        if self.feed.push_peer(bytes, arrival) == Err(Refused::Full) {
            // Protocols live with lost messages; a driver that cannot keep up must not take all memory.
            self.meters.dropped("feed_full");
            tracing::debug!(protocol = P::NAME, peer = %from, bytes, "the feed is full, a peer's frame was dropped");
        }
    }
}

impl<P: Protocol> Inbox for FeedInbox<P> {
    fn frame(&self, from: NodeId, session: SessionId, body: Bytes) {
        self.push(from, body.len(), Arrival::Frame { from, session, body });
    }

    fn bulk(&self, from: NodeId, session: SessionId, header: Bytes, stream: Box<dyn BulkReceiver>) {
        self.push(from, header.len(), Arrival::Bulk { from, session, header, stream });
    }

    fn reachable(&self, peer: NodeId, session: SessionId) {
        self.feed.push(Arrival::Reachable { peer, session });
    }

    fn unreachable(&self, peer: NodeId, session: SessionId) {
        self.feed.push(Arrival::Unreachable { peer, session });
    }
}
