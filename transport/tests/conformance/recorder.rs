//! A receiver that keeps what it hears, and lets a test wait for it. What only some tests wait for is in the folder beside.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use synod_transport::{
    BulkReceiver, CloseReason, Frames, Lane, Link, Metrics, Peer, Receiver, Refusal, Transport, Undelivered,
};
use tokio::sync::Notify;

/// Generous: a machine under load is slow, and a wait ends with its event.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    Connected(Peer, u64),
    Disconnected(Peer, u64, CloseReason),
    Interrupted(u64, CloseReason),
    Resumed(u64),
    /// One call: session, bodies, what is known of them, why.
    Returned(u64, Vec<Bytes>, Undelivered, CloseReason),
    /// One call: session, lane, bodies.
    Frames(u64, Lane, Vec<Bytes>),
    Datagram(u64, Bytes),
    Bulk(u64, Bytes),
    Refused(Refusal),
}

#[derive(Default)]
pub(crate) struct Recorder {
    heard: Mutex<Vec<Heard>>,
    pub(crate) streams: Mutex<Vec<Box<dyn BulkReceiver>>>,
    links: Mutex<Vec<Arc<dyn Link>>>,
    change: Notify,
    /// What the thread that tells the next event does before.
    pub(crate) before: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Recorder {
    fn record(&self, heard: Heard) {
        let before = self.before.lock().expect("no test panics here").take();
        if let Some(before) = before {
            before();
        }
        self.heard.lock().expect("no test panics here").push(heard);
        self.change.notify_waiters();
    }

    pub(crate) fn heard(&self) -> MutexGuard<'_, Vec<Heard>> {
        self.heard.lock().expect("no test panics here")
    }

    /// Waits until `find` finds something in all that was heard.
    pub(crate) async fn until<T>(&self, what: &str, mut find: impl FnMut(&[Heard]) -> Option<T>) -> T {
        let search = async {
            loop {
                let told = self.change.notified();
                tokio::pin!(told);
                told.as_mut().enable();
                if let Some(found) = find(&self.heard()) {
                    return found;
                }
                told.await;
            }
        };
        match tokio::time::timeout(PATIENCE, search).await {
            Ok(found) => found,
            Err(_) => {
                let heard = self.heard();
                let last = heard.len().saturating_sub(20);
                panic!("waited in vain for {what}; heard last: {:#?}", &heard[last..])
            }
        }
    }

    /// The link that was opened as the `nth`, counted from 0.
    pub(crate) async fn link(&self, nth: usize) -> Arc<dyn Link> {
        self.until("a link", |_| self.links.lock().expect("no test panics here").get(nth).cloned()).await
    }

    /// The bodies of all frames on one lane so far.
    pub(crate) fn bodies(heard: &[Heard], lane: Lane) -> Vec<Bytes> {
        heard
            .iter()
            .filter_map(|event| match event {
                Heard::Frames(_, found, bodies) if *found == lane => Some(bodies.clone()),
                _ => None,
            })
            .flatten()
            .collect()
    }

    /// Waits until one lane has brought `count` frames.
    pub(crate) async fn frames(&self, lane: Lane, count: usize) -> Vec<Bytes> {
        self.until("frames", |heard| {
            let bodies = Self::bodies(heard, lane);
            (bodies.len() >= count).then_some(bodies)
        })
        .await
    }
}

impl Receiver for Recorder {
    fn connected(&self, link: Arc<dyn Link>) {
        self.links.lock().expect("no test panics here").push(link.clone());
        self.record(Heard::Connected(link.peer().clone(), link.session()));
    }

    fn interrupted(&self, link: &Arc<dyn Link>, reason: &CloseReason) {
        assert_eq!(link.connection(), None);
        self.record(Heard::Interrupted(link.session(), reason.clone()));
    }

    fn resumed(&self, link: &Arc<dyn Link>) {
        assert!(link.connection().is_some());
        self.record(Heard::Resumed(link.session()));
    }

    fn returned(&self, link: &Arc<dyn Link>, frames: Frames, known: Undelivered, reason: &CloseReason) {
        self.record(Heard::Returned(link.session(), frames.collect(), known, reason.clone()));
    }

    fn disconnected(&self, peer: &Peer, session: u64, reason: CloseReason) {
        self.record(Heard::Disconnected(peer.clone(), session, reason));
    }

    fn frames(&self, link: &Arc<dyn Link>, lane: Lane, frames: Frames) {
        self.record(Heard::Frames(link.session(), lane, frames.collect()));
    }

    fn datagram(&self, link: &Arc<dyn Link>, payload: Bytes) {
        self.record(Heard::Datagram(link.session(), payload));
    }

    fn bulk(&self, link: &Arc<dyn Link>, header: Bytes, stream: Box<dyn BulkReceiver>) {
        self.streams.lock().expect("no test panics here").push(stream);
        self.record(Heard::Bulk(link.session(), header));
    }

    fn refused(&self, refusal: Refusal) {
        self.record(Heard::Refused(refusal));
    }
}

/// One end under test.
pub(crate) struct Node {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) metrics: Arc<dyn Fn() -> Metrics + Send + Sync>,
}
