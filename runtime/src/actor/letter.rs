//! Messages that came back: nothing vanishes silently.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use synod_transport::PeerName;

use crate::error::AskError;

/// A tell that was accepted from its sender and not delivered. It comes back to the sender's node once.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The target's node.
    pub node: PeerName,
    /// The target's slot and generation on its node.
    pub actor: u64,
    /// The message's id; empty when the peer's manifest is gone with its link.
    pub message: String,
    /// Why, and whether it may have been executed.
    pub error: AskError,
    /// The message as it travelled; `None` for one that never left its node, or came back too large to be taken.
    pub body: Option<Bytes>,
}

/// Hears of dead letters, on any thread: it must not block.
#[derive(Clone)]
pub struct DeadLetterHook(pub Arc<dyn Fn(DeadLetter) + Send + Sync>);

impl Default for DeadLetterHook {
    /// Hears and forgets; the metric counts all the same.
    fn default() -> Self {
        Self(Arc::new(|_| {}))
    }
}

impl fmt::Debug for DeadLetterHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeadLetterHook")
    }
}
