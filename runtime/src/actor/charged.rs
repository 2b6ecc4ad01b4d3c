//! What large messages count as against the windows of their targets. They are counted before their places in their lanes are taken.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::cluster::Flow;
use crate::wire::{Head, Load};

/// A large message that is counted against its target's window, and counted no longer if it does not come there.
pub(super) struct Charged {
    flow: Arc<Flow>,
    load: Load,
}

impl Charged {
    /// Counts it.
    pub(super) fn with(flow: &Arc<Flow>, load: Load) -> Self {
        flow.charge(load);
        Self { flow: flow.clone(), load }
    }

    /// It has come there: its feed says when it leaves it.
    pub(super) fn stands(mut self) {
        self.load = Load::default();
    }
}

impl Drop for Charged {
    fn drop(&mut self) {
        self.flow.release(self.load);
    }
}

/// What a large message counts as at both ends: header and body.
pub(super) fn large(head: &Head, body: &Bytes) -> Load {
    let mut header = BytesMut::new();
    head.write(&mut header);
    Load::of(header.len() + body.len())
}
