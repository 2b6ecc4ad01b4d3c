//! What the transport tells of topics, passed on to the board.

use std::sync::Weak;

use bytes::Bytes;
use synod_protocols::{NodeId, SessionId};
use synod_transport::BulkReceiver;

use crate::cluster::Inbox;
use crate::topics::board::Board;

/// The transport's side of a board, which it does not keep alive.
pub(super) struct TopicInbox(pub(super) Weak<Board>);

impl Inbox for TopicInbox {
    fn frame(&self, from: NodeId, session: SessionId, body: Bytes) {
        if let Some(board) = self.0.upgrade() {
            board.hear(from, session, body);
        }
    }

    fn bulk(&self, from: NodeId, _session: SessionId, _header: Bytes, _stream: Box<dyn BulkReceiver>) {
        // Dropped, which its sender sees.
        tracing::warn!(peer = %from, "a bulk stream about topics, of which there are none");
    }

    fn reachable(&self, peer: NodeId, session: SessionId) {
        if let Some(board) = self.0.upgrade() {
            board.meet(peer, session);
        }
    }

    fn unreachable(&self, peer: NodeId, session: SessionId) {
        if let Some(board) = self.0.upgrade() {
            board.part(peer, session);
        }
    }
}
