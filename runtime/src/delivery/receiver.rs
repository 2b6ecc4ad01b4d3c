//! [`ReliableReceiver`]: takes messages of a queue, and hands them to whoever handles them.

use std::marker::PhantomData;
use std::sync::Arc;

use actix::Recipient;
use serde::de::DeserializeOwned;
use synod_protocols::delivery::{Command, ConsumerId, Reply};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::address::stable_hash;
use crate::delivery::delivered::Delivered;
use crate::delivery::end::{End, Hand};
use crate::delivery::error::{QueueError, ReceiveError};
use crate::delivery::options::ReceiverOptions;
use crate::scope::Decoder;

/// Takes messages of one type from a queue: from every node that sends to it. When it is dropped, what is not confirmed goes to another
/// receiver.
pub struct ReliableReceiver<M> {
    end: Arc<End>,
    hands: UnboundedReceiver<Hand>,
    /// What the machine calls it, once it has answered.
    consumer: Option<ConsumerId>,
    message: PhantomData<fn() -> M>,
}

impl<M: DeserializeOwned + Send + 'static> ReliableReceiver<M> {
    pub(super) async fn open(end: Arc<End>, options: ReceiverOptions) -> Result<Self, QueueError> {
        let (sender, hands) = unbounded_channel();
        if !end.enter(sender) {
            return Err(QueueError::Taken(end.name.clone()));
        }
        // From here on it leaves in order, also when this future is dropped.
        let mut receiver = Self { end, hands, consumer: None, message: PhantomData };
        match receiver.end.command(Command::Consume(options.0), 0).await? {
            Reply::Consuming(id) => receiver.consumer = Some(id),
            reply => unreachable!("{reply:?} to the one who takes"),
        }
        Ok(receiver)
    }

    /// The next message. As many are handed out at a time as the options say: whoever keeps them waits for ever.
    ///
    /// # Errors
    /// [`ReceiveError`]; after [`ReceiveError::Unreadable`] the next one may be readable.
    pub async fn next(&mut self) -> Result<Delivered<M>, ReceiveError> {
        let Hand { ticket, attempt, payload } = loop {
            let hand = self.hands.recv().await.ok_or(ReceiveError::Ended)?;
            // What was handed to the receiver before it, and came late, the machine has taken back.
            if Some(hand.ticket.consumer) == self.consumer {
                break hand;
            }
        };
        let raw = Delivered::new(self.end.clone(), ticket, attempt, payload);
        // References in it belong to this node.
        let mut decoder = Decoder::new(self.end.core.clone());
        let limit = self.end.core.settings.limits.message_bytes_max;
        raw.try_map(|payload| decoder.decode(payload, limit)).map_err(|(raw, error)| {
            self.end.meters.unreadable.inc();
            ReceiveError::Unreadable { raw: Box::new(raw), error }
        })
    }

    /// Lets an actor of this node handle the messages, until it stops. What it cannot read is logged and kept for later.
    pub fn hand_to(mut self, actor: Recipient<Delivered<M>>) {
        let core = self.end.core.clone();
        let place = stable_hash(self.end.name.as_bytes()) as usize;
        core.run(place, async move {
            loop {
                match self.next().await {
                    // Its address outlives an actor; what it has dropped comes again, and ends this.
                    Ok(_) if !actor.connected() => return,
                    Ok(delivered) => actor.do_send(delivered),
                    Err(ReceiveError::Unreadable { raw, error }) => {
                        tracing::warn!(queue = self.end.name, message = ?raw, %error, "a message is kept that cannot be read");
                    }
                    Err(ReceiveError::Ended) => return,
                }
            }
        });
    }
}

impl<M> Drop for ReliableReceiver<M> {
    fn drop(&mut self) {
        self.end.leave();
    }
}
