//! How protocol machines reach the machines of the same protocol on other nodes.
//!
//! Not for actors' messages, which have envelopes of their own; a machine's frame carries whatever its driver put in.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use synod_protocols::{NodeId, Protocol, SessionId};
use synod_transport::{BulkReceiver, BulkSender, LinkError};

use crate::address::ProtocolId;
use crate::wire::{Form, Shape, traced};

/// Takes frames to peers, on the fleeting lane: what a broken connection did not bring is not sent again.
pub trait Courier: Send + Sync + 'static {
    /// Sends one frame to the driver of `protocol` on a peer; `body` writes it straight into the link's open batch, in the form that
    /// the peer's version of the protocol reads.
    ///
    /// # Errors
    /// [`LinkError::Closed`] when there is no connection to the peer, else as [`synod_transport::Link::send`]; nothing is sent then.
    fn send(
        &self,
        to: NodeId,
        protocol: ProtocolId,
        body: &mut dyn FnMut(Form, &mut BytesMut),
    ) -> Result<(), LinkError>;

    /// Opens a bulk stream to the driver of `protocol` on a peer. What it carries is written in the form that every version reads.
    fn open_bulk(
        &self,
        to: NodeId,
        protocol: ProtocolId,
        header: Bytes,
    ) -> BoxFuture<'static, Result<Box<dyn BulkSender>, LinkError>>;

    /// Lets `inbox` hear what arrives for a protocol, beginning with the connections that are up already, and tells the peers which
    /// version of it is spoken here.
    fn subscribe(&self, protocol: Spoken, inbox: Arc<dyn Inbox>);
}

/// A protocol as this program knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Its stable name.
    pub name: &'static str,
    /// The structure of its messages.
    pub shape: Shape,
}

impl Spoken {
    /// Protocol `P`.
    #[must_use]
    pub fn of<P: Protocol>() -> Self {
        Self { name: P::NAME, shape: traced::<P::Message>() }
    }
}

/// Hears what arrives for one protocol. Called on the transport's thread: it must not block, nor call the courier back from `reachable`.
pub trait Inbox: Send + Sync + 'static {
    /// A member's frame.
    fn frame(&self, from: NodeId, session: SessionId, body: Bytes);

    /// A member's bulk stream.
    fn bulk(&self, from: NodeId, session: SessionId, header: Bytes, stream: Box<dyn BulkReceiver>);

    /// A connection to a member came up; each has a session of its own.
    fn reachable(&self, peer: NodeId, session: SessionId);

    /// The connection to a member went down.
    fn unreachable(&self, peer: NodeId, session: SessionId);
}
