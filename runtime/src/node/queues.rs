//! Queues and topics of a node, by name: what is delivered until it is confirmed, and what reaches whoever listens.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::delivery::{ReceiverOptions, ReliableReceiver, ReliableSender, SenderOptions};
use crate::node::error::ServiceError;
use crate::node::handle::Node;
use crate::topics::{Topic, TopicError};

impl Node {
    /// Sends to a queue: what is accepted is delivered until a receiver's handler confirms it. A node sends to a queue with one set of options.
    /// Nodes that send to one queue know nothing of each other: each has an order of its own.
    ///
    /// # Errors
    /// [`ServiceError`]; a node without a directory has no queues.
    pub async fn reliable_sender<M: Serialize + Send + 'static>(
        &self,
        queue: &str,
        options: SenderOptions,
    ) -> Result<ReliableSender<M>, ServiceError> {
        let end = self.inner.queues.end(queue, self.driver()?).await?;
        Ok(end.sender(options).await?)
    }

    /// Takes from a queue, whichever nodes send to it. A node has at most one receiver of a queue.
    ///
    /// # Errors
    /// [`ServiceError`]; a node without a directory has no queues.
    pub async fn reliable_receiver<M: DeserializeOwned + Send + 'static>(
        &self,
        queue: &str,
        options: ReceiverOptions,
    ) -> Result<ReliableReceiver<M>, ServiceError> {
        let end = self.inner.queues.end(queue, self.driver()?).await?;
        Ok(end.receiver(options).await?)
    }
    /// A topic: to publish messages of one type to, and to subscribe to. Nobody else has to know of it before.
    ///
    /// # Errors
    /// [`TopicError`].
    pub fn topic<M: Serialize + DeserializeOwned + Clone + Send + 'static>(
        &self,
        name: &str,
    ) -> Result<Topic<M>, TopicError> {
        Topic::open(&self.inner.topics, name)
    }
}
