//! Waiting for a link's next connection.

use crate::recorder::{Heard, Recorder};

impl Recorder {
    /// Waits until a link got another connection for the `nth` time, counted from 1.
    pub(crate) async fn resumed(&self, nth: usize) {
        self.until("another connection", |heard| {
            (heard.iter().filter(|event| matches!(event, Heard::Resumed(_))).count() >= nth).then_some(())
        })
        .await;
    }
}
