//! [`Subscription`]: what is published to a topic, for a program that is no actor.

use tokio::sync::mpsc::Receiver;

/// What is published from here on, until it is dropped.
pub struct Subscription<M> {
    publications: Receiver<M>,
    /// Ends the subscription when it goes.
    _leave: Leave,
}

/// Something to be done when a subscription ends.
pub(super) struct Leave(pub(super) Option<Box<dyn FnOnce() + Send>>);

impl<M> Subscription<M> {
    pub(super) fn new(publications: Receiver<M>, leave: Leave) -> Self {
        Self { publications, _leave: leave }
    }

    /// The next publication; waits for it. `None` once the node is gone.
    pub async fn next(&mut self) -> Option<M> {
        self.publications.recv().await
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        if let Some(leave) = self.0.take() {
            leave();
        }
    }
}
