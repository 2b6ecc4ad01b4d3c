//! The last word on a link: why it ends, on a stream of its own, before the connection is closed.
//!
//! CONNECTION_CLOSE alone does not do: quinn holds it back while the congestion window is full, and a closed connection takes no
//! acknowledgements that would empty it, so that the peer of a busy link would never hear why it ended.

use std::time::Duration;

use quinn::{Connection, RecvStream};
use tokio::sync::watch;
use tokio::time::timeout;

use super::close::{Close, LAST_WORD_MAX};
use super::footing::Tasks;
use crate::contract::CloseReason;

/// The first byte of the stream.
pub(crate) const LAST_WORD: u8 = 0x11;

/// How long the peer may take to acknowledge it.
const PATIENCE: Duration = Duration::from_millis(300);

/// Counts the links that are being ended.
pub(crate) struct Goodbyes {
    count: watch::Sender<usize>,
    tasks: Tasks,
}

impl Goodbyes {
    pub(crate) fn new(tasks: Tasks) -> Self {
        Self { count: watch::Sender::new(0), tasks }
    }

    /// Tells the peer why, and closes the connection.
    pub(crate) fn say(&self, connection: Connection, reason: CloseReason) {
        if connection.close_reason().is_some() {
            return;
        }
        self.count.send_modify(|count| *count += 1);
        let count = self.count.clone();
        self.tasks.spawn(async move {
            let close = Close::Link(reason);
            let said = async {
                let mut stream = connection.open_uni().await.ok()?;
                // Above all lanes.
                stream.set_priority(2).ok()?;
                let bytes = [&[LAST_WORD], &close.encode()[..]].concat();
                stream.write_all(&bytes).await.ok()?;
                stream.finish().ok()?;
                stream.stopped().await.ok()
            };
            // A peer that does not hear it hears the close, or its own idle timeout.
            let _ = timeout(PATIENCE, said).await;
            close.apply(&connection);
            count.send_modify(|count| *count -= 1);
        });
    }

    /// Completes when all is said.
    pub(crate) async fn said(&self) {
        // The sender lives in `self`.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// The peer's last word.
pub(crate) async fn hear(mut stream: RecvStream) -> Option<CloseReason> {
    let bytes = stream.read_to_end(LAST_WORD_MAX).await.ok()?;
    Close::decode(&bytes).map(Close::into_link_reason)
}
