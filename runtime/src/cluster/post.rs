//! The way of protocol machines over the links of a node: each frame in the form that its receiver reads.
//!
//! Nodes that were built alike talk in arrays; others, and those that have not said how they speak, by names.

use std::sync::{Arc, Weak};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use synod_protocols::NodeId;
use synod_transport::{BulkSender, Lane, LinkError};

use super::courier::{Courier, Inbox, Spoken};
use super::links::Links;
use crate::actor::Core;
use crate::address::ProtocolId;
use crate::wire::{Form, Head, Manifest, encode_body};

/// The courier of one actor system, which it does not keep alive.
pub(crate) struct Post {
    links: Arc<Links>,
    core: Weak<Core>,
}

impl Post {
    pub(crate) fn of(core: &Arc<Core>) -> Self {
        Self { links: core.links.clone(), core: Arc::downgrade(core) }
    }
}

impl Courier for Post {
    fn send(
        &self,
        to: NodeId,
        protocol: ProtocolId,
        body: &mut dyn FnMut(Form, &mut BytesMut),
    ) -> Result<(), LinkError> {
        let (session, ours) = self.links.to(to, protocol).ok_or(LinkError::Closed)?;
        let form = ours.map_or(Form::Named, |ours| session.form(protocol, ours));
        session.link().send(Lane::Fleeting, &mut |out| {
            Head::Protocol(protocol.0).write(out);
            body(form, out);
        })
    }

    fn open_bulk(
        &self,
        to: NodeId,
        protocol: ProtocolId,
        header: Bytes,
    ) -> BoxFuture<'static, Result<Box<dyn BulkSender>, LinkError>> {
        let way = self.links.to(to, protocol);
        Box::pin(async move {
            let (session, _) = way.ok_or(LinkError::Closed)?;
            let mut whole = BytesMut::with_capacity(header.len() + 10);
            Head::Protocol(protocol.0).write(&mut whole);
            whole.extend_from_slice(&header);
            session.link().open_bulk(whole.freeze()).await
        })
    }

    fn subscribe(&self, protocol: Spoken, inbox: Arc<dyn Inbox>) {
        let members = self.links.hear(protocol, inbox);
        let Some(core) = self.core.upgrade() else { return };
        let manifest = encode_body(&Manifest::of_protocol(protocol.name, protocol.shape));
        for session in members {
            core.send(session, Lane::Control, Head::Announce, manifest.clone());
        }
    }
}
