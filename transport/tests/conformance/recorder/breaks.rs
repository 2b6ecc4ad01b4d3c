//! Links without a connection, and which are left.

use synod_transport::CloseReason;

use crate::recorder::{Heard, Recorder};

impl Recorder {
    /// Waits until a link was without a connection for the `nth` time, counted from 1.
    pub(crate) async fn interrupted(&self, nth: usize) -> CloseReason {
        self.until("a break", |heard| {
            let mut breaks = heard.iter().filter_map(|event| match event {
                Heard::Interrupted(_, reason) => Some(reason.clone()),
                _ => None,
            });
            breaks.nth(nth - 1)
        })
        .await
    }

    /// The sessions that are open, in order of their birth.
    pub(crate) fn living(heard: &[Heard]) -> Vec<u64> {
        let mut living = Vec::new();
        for event in heard {
            match event {
                Heard::Connected(_, session) => living.push(*session),
                Heard::Disconnected(_, session, _) => living.retain(|found| found != session),
                _ => {}
            }
        }
        living
    }
}
