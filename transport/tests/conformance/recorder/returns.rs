//! Frames that came back, and bulk streams.

use bytes::Bytes;
use synod_transport::{BulkReceiver, Undelivered};

use crate::recorder::{Heard, Recorder};

impl Recorder {
    /// The bodies of all frames that came back, with what is known of them.
    pub(crate) fn returned(heard: &[Heard]) -> Vec<(Bytes, Undelivered)> {
        heard
            .iter()
            .filter_map(|event| match event {
                Heard::Returned(_, bodies, known, _) => {
                    Some(bodies.iter().map(|body| (body.clone(), *known)))
                }
                _ => None,
            })
            .flatten()
            .collect()
    }

    pub(crate) async fn stream(&self) -> Box<dyn BulkReceiver> {
        self.until("a bulk stream", |_| self.streams.lock().expect("no test panics here").pop()).await
    }
}
