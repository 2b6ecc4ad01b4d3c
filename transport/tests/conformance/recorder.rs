//! A receiver that keeps what it hears, and lets a test wait for it.

use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use synod_transport::{
    BulkReceiver, CloseReason, Frames, Lane, Link, Metrics, Peer, Receiver, Refusal, Transport,
    TransportError, Undelivered,
};
use tokio::sync::Notify;

/// Generous: a machine under load is slow, and a wait ends with its event.
const PATIENCE: Duration = Duration::from_secs(30);

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
    streams: Mutex<Vec<Box<dyn BulkReceiver>>>,
    links: Mutex<Vec<Arc<dyn Link>>>,
    change: Notify,
    /// Where the thread that tells the next event waits for the sender to be dropped.
    door: Mutex<Option<mpsc::Receiver<()>>>,
    at_the_door: Notify,
}

impl Recorder {
    /// Holds the thread that tells the next event, until what is returned is dropped.
    pub(crate) fn shut(&self) -> Sender<()> {
        let (open, shut) = mpsc::channel();
        *self.door.lock().expect("no test panics here") = Some(shut);
        open
    }

    /// Waits until a thread is held.
    pub(crate) async fn holds(&self) {
        let held = tokio::time::timeout(PATIENCE, self.at_the_door.notified()).await;
        held.expect("an event comes");
    }

    fn record(&self, heard: Heard) {
        let door = self.door.lock().expect("no test panics here").take();
        if let Some(door) = door {
            self.at_the_door.notify_one();
            door.recv().expect_err("the door opens when its other end is dropped");
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

    pub(crate) async fn disconnected(&self, session: u64) -> CloseReason {
        self.until("the end of a link", |heard| {
            heard.iter().find_map(|event| match event {
                Heard::Disconnected(_, found, reason) if *found == session => Some(reason.clone()),
                _ => None,
            })
        })
        .await
    }

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

    /// Waits until a link got another connection for the `nth` time, counted from 1.
    pub(crate) async fn resumed(&self, nth: usize) {
        self.until("another connection", |heard| {
            (heard.iter().filter(|event| matches!(event, Heard::Resumed(_))).count() >= nth).then_some(())
        })
        .await;
    }

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

    pub(crate) async fn refused(&self, what: &str, matches: impl Fn(&TransportError) -> bool) -> Refusal {
        self.until(what, |heard| {
            heard.iter().find_map(|event| match event {
                Heard::Refused(refusal) if matches(&refusal.error) => Some(refusal.clone()),
                _ => None,
            })
        })
        .await
    }

    pub(crate) async fn stream(&self) -> Box<dyn BulkReceiver> {
        self.until("a bulk stream", |_| self.streams.lock().expect("no test panics here").pop()).await
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

    /// Whether anything but refusals was heard.
    pub(crate) fn is_untouched(&self) -> bool {
        self.heard().iter().all(|event| matches!(event, Heard::Refused(_)))
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
