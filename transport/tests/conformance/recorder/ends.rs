//! Waiting for the end of a link.

use synod_transport::CloseReason;

use crate::recorder::{Heard, Recorder};

impl Recorder {
    pub(crate) async fn disconnected(&self, session: u64) -> CloseReason {
        self.until("the end of a link", |heard| {
            heard.iter().find_map(|event| match event {
                Heard::Disconnected(_, found, reason) if *found == session => Some(reason.clone()),
                _ => None,
            })
        })
        .await
    }
}
