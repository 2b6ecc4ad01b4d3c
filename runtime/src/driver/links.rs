//! The way to the peers: messages of one turn gather here and leave as one frame per peer.
//!
//! A frame is closed early once it holds 256 KiB, so that it stays below the transport's limit; a single message above that
//! limit travels as a stream of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use synod_protocols::{NodeId, Protocol, SessionId};
use synod_transport::LinkError;

use crate::address::{MachineId, ProtocolId};
use crate::cluster::Courier;
use crate::driver::frame;
use crate::driver::meters::Meters;
use crate::wire::Form;

const FRAME_BYTES: usize = 256 << 10;

/// What a bulk stream carries: the first byte of its header.
pub(crate) const BULK_SNAPSHOT: u8 = 1;
/// Says what is held of a snapshot that is being sent; the header is all of it.
pub(crate) const BULK_HELD: u8 = 3;
/// A frame that is too large for a link; the header is this byte alone.
pub(crate) const BULK_FRAME: u8 = 2;

/// The links of one driver.
pub(crate) struct Links<P: Protocol> {
    protocol: ProtocolId,
    courier: Arc<dyn Courier>,
    meters: Meters,
    up: BTreeMap<NodeId, SessionId>,
    /// The peers whose messages were not understood, of which an operator has been told.
    complained: BTreeSet<NodeId>,
    outgoing: BTreeMap<NodeId, Vec<(MachineId, P::Message)>>,
}

impl<P: Protocol> Links<P> {
    pub(crate) fn new(courier: Arc<dyn Courier>, meters: Meters) -> Self {
        let protocol = ProtocolId::of(P::NAME);
        Self {
            protocol,
            courier,
            meters,
            up: BTreeMap::new(),
            complained: BTreeSet::new(),
            outgoing: BTreeMap::new(),
        }
    }

    /// Lets a message go with this turn's frame.
    pub(crate) fn send(&mut self, to: NodeId, machine: MachineId, message: P::Message) {
        self.outgoing.entry(to).or_default().push((machine, message));
    }

    /// Sends what has gathered, one frame per peer unless it is large.
    pub(crate) fn flush(&mut self) {
        for (to, messages) in std::mem::take(&mut self.outgoing) {
            let mut rest = &messages[..];
            while !rest.is_empty() {
                let taken = self.send_some(to, rest);
                rest = &rest[taken.max(1)..];
            }
        }
    }

    /// A link came up.
    pub(crate) fn reachable(&mut self, peer: NodeId, session: SessionId) {
        self.up.insert(peer, session);
        self.complained.remove(&peer);
    }

    /// Whether this is the first complaint about what a peer said over its connection.
    pub(crate) fn is_news(&mut self, peer: NodeId) -> bool {
        self.complained.insert(peer)
    }

    /// A link went down; says whether it was the one in use.
    pub(crate) fn unreachable(&mut self, peer: NodeId, session: SessionId) -> bool {
        let current = self.up.get(&peer) == Some(&session);
        if current {
            self.up.remove(&peer);
        }
        current
    }

    /// The links that are up.
    pub(crate) fn up(&self) -> impl Iterator<Item = (NodeId, SessionId)> {
        self.up.iter().map(|(&peer, &session)| (peer, session))
    }

    pub(crate) fn courier(&self) -> (Arc<dyn Courier>, ProtocolId) {
        (Arc::clone(&self.courier), self.protocol)
    }

    /// Sends as many messages as one frame takes; says how many are dealt with.
    fn send_some(&self, to: NodeId, messages: &[(MachineId, P::Message)]) -> usize {
        let mut taken = 0;
        let meters = &self.meters;
        let sent = self.courier.send(to, self.protocol, &mut |form, out| {
            taken = encode_some::<P>(messages, form, out, meters);
        });
        match sent {
            Ok(()) => {
                self.meters.frames_sent.inc();
                self.meters.messages_sent.inc_by(taken as u64);
                taken
            }
            // The frame is dealt with one message at a time; only a message that is too large by itself needs a stream.
            Err(LinkError::TooLarge { .. }) if taken > 1 => {
                for message in &messages[..taken] {
                    self.send_some(to, std::slice::from_ref(message));
                }
                taken
            }
            Err(LinkError::TooLarge { .. }) => {
                self.send_large(to, &messages[0]);
                1
            }
            Err(error) => {
                self.refused(to, messages.len(), &error);
                messages.len()
            }
        }
    }

    fn send_large(&self, to: NodeId, (machine, message): &(MachineId, P::Message)) {
        let mut body = BytesMut::new();
        if frame::put::<P>(*machine, message, Form::Named, &mut body).is_err() {
            return self.meters.dropped("unencodable");
        }
        self.meters.messages_sent.inc();
        let mut header = BytesMut::new();
        header.put_u8(BULK_FRAME);
        let stream = self.courier.open_bulk(to, self.protocol, header.freeze());
        let meters = self.meters.clone();
        actix::spawn(async move {
            if let Err(error) = send_stream(stream.await, body.freeze()).await {
                meters.dropped("link");
                tracing::debug!(protocol = P::NAME, peer = %to, %error, "a large message was not sent");
            }
        });
    }

    fn refused(&self, to: NodeId, messages: usize, error: &LinkError) {
        let reason = match error {
            LinkError::Full => "link_full",
            LinkError::Closed | LinkError::Broken(_) | LinkError::TooLarge { .. } => "link",
        };
        for _ in 0..messages {
            self.meters.dropped(reason);
        }
        tracing::trace!(protocol = P::NAME, peer = %to, messages, %error, "messages were not sent");
    }
}

/// Says how many messages were dealt with.
fn encode_some<P: Protocol>(
    messages: &[(MachineId, P::Message)],
    form: Form,
    out: &mut BytesMut,
    meters: &Meters,
) -> usize {
    let start = out.len();
    for (taken, (machine, message)) in messages.iter().enumerate() {
        if out.len() - start >= FRAME_BYTES {
            return taken;
        }
        if let Err(error) = frame::put::<P>(*machine, message, form, out) {
            meters.dropped("unencodable");
            tracing::error!(protocol = P::NAME, ?machine, error, "a message cannot be encoded");
        }
    }
    messages.len()
}

async fn send_stream(
    stream: Result<Box<dyn synod_transport::BulkSender>, LinkError>,
    body: Bytes,
) -> Result<(), LinkError> {
    let mut stream = stream?;
    stream.write(body).await?;
    stream.finish().await
}
