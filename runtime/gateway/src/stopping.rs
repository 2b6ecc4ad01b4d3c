//! How those who could go on for ever learn that the gateway stops.

use tokio::sync::watch;

/// The end that says so. Dropping it says so too.
pub(crate) struct Stop {
    sender: watch::Sender<bool>,
}

/// The end that hears it.
#[derive(Clone)]
pub(crate) struct Stopping {
    receiver: watch::Receiver<bool>,
}

impl Stop {
    /// Nothing stops yet.
    pub(crate) fn new() -> Self {
        Self { sender: watch::Sender::new(false) }
    }

    /// An end that hears it.
    pub(crate) fn stopping(&self) -> Stopping {
        Stopping { receiver: self.sender.subscribe() }
    }

    /// Says so.
    pub(crate) fn begin(&self) {
        self.sender.send_replace(true);
    }
}

impl Stopping {
    /// Whether the gateway stops.
    pub(crate) fn has_begun(&self) -> bool {
        *self.receiver.borrow()
    }

    /// Completes when the gateway stops.
    pub(crate) async fn wait(&mut self) {
        // An error means that the other end is gone, and nobody serves without it.
        let _ = self.receiver.wait_for(|begun| *begun).await;
    }
}
