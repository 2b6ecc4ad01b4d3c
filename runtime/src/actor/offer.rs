//! What an actor offers: its interfaces, to whom, and how much waits before it.
//!
//! Not what it does with a message, which only its dispatch entries know.

use std::any::TypeId;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use synod_transport::{Peer, Role};

use super::policy::Callers;
use crate::wire::Load;

/// What every actor of one type offers.
pub(crate) struct Offer {
    pub(crate) interfaces: Vec<Offered>,
    pub(crate) limits: FeedLimits,
}

/// An interface of an actor.
pub(crate) struct Offered {
    /// Our type of the interface.
    pub(crate) key: TypeId,
    pub(crate) name: &'static str,
    /// The interface's number on this node.
    pub(crate) number: u16,
    /// Whether identities that are no members may call it.
    pub(crate) clients: bool,
    /// The window that its manifest announces, in messages; it only becomes smaller.
    pub(crate) window: Arc<AtomicU32>,
    /// Who may, if not everybody.
    pub(crate) callers: Option<Callers>,
}

impl Offered {
    /// Whether a peer may call it.
    pub(crate) fn is_for(&self, peer: &Peer) -> bool {
        let role = match peer.role {
            Role::Member => true,
            Role::Client => self.clients,
        };
        role && self.callers.as_ref().is_none_or(|callers| callers.admit(peer))
    }
}

/// How much a feed holds.
#[derive(Clone, Copy)]
pub(crate) struct FeedLimits {
    pub(crate) messages: usize,
    /// Of frames; a local message has the size of its type.
    pub(crate) bytes: usize,
}

impl FeedLimits {
    /// The window of a peer that has the feed for itself.
    pub(crate) fn window(self) -> Load {
        // Far from where sums of loads would end.
        Load::window(u32::try_from(self.messages).unwrap_or(u32::MAX).min(1 << 30), self.bytes)
    }
}
