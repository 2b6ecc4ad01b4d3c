//! Waiting for a refusal.

use synod_transport::{Refusal, TransportError};

use crate::recorder::{Heard, Recorder};

impl Recorder {
    pub(crate) async fn refused(&self, what: &str, matches: impl Fn(&TransportError) -> bool) -> Refusal {
        self.until(what, |heard| {
            heard.iter().find_map(|event| match event {
                Heard::Refused(refusal) if matches(&refusal.error) => Some(refusal.clone()),
                _ => None,
            })
        })
        .await
    }
}
