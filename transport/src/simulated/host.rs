//! One address of the simulated network: the datagrams on their way to it, and who listens there.
//!
//! It outlives the processes that listen: what is on its way when one dies may arrive at the next.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use quinn::udp::EcnCodepoint;
use tokio::time::{Instant, Sleep, sleep_until};

/// How far ahead the alarm of a listener stands to whom nothing is coming.
const FAR: Duration = Duration::from_secs(30 * 86_400);

/// One datagram.
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) bytes: Box<[u8]>,
    pub(crate) ecn: Option<EcnCodepoint>,
}

/// An address.
pub(crate) struct Host {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By the time of arrival, then in the order of sending.
    coming: BTreeMap<(Instant, u64), Datagram>,
    bytes: usize,
    sent: u64,
    listener: Option<Listener>,
}

struct Listener {
    ticket: u64,
    buffer: usize,
    /// Set to the next arrival by whoever sends: it wakes the listener then, and not before.
    alarm: Pin<Box<Sleep>>,
}

impl Host {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default() })
    }

    /// Lets `ticket` listen, with a receive buffer of so many bytes; `false` when somebody does already.
    pub(crate) fn listen(&self, ticket: u64, buffer: usize) -> bool {
        let mut state = self.lock();
        if state.listener.is_some() {
            return false;
        }
        let now = Instant::now();
        // What arrived while nobody listened went nowhere.
        while state.take(now).is_some() {}
        state.listener = Some(Listener { ticket, buffer, alarm: Box::pin(sleep_until(now + FAR)) });
        true
    }

    /// Ends the listening of `ticket`: nothing is received or sent under it from here on.
    pub(crate) fn leave(&self, ticket: u64) {
        let gone = {
            let mut state = self.lock();
            if state.is_listening(ticket) { state.listener.take() } else { None }
        };
        // Not under the lock: with its alarm may go a task, and what that holds.
        drop(gone);
    }

    /// Ends whatever listening there is; gives whether there was any.
    pub(crate) fn silence(&self) -> bool {
        let gone = self.lock().listener.take();
        gone.is_some()
    }

    pub(crate) fn is_listening(&self, ticket: u64) -> bool {
        self.lock().is_listening(ticket)
    }

    /// Sends a datagram on its way; it vanishes when more is coming than the listener has room for.
    pub(crate) fn post(&self, delay: Duration, datagram: Datagram) {
        let mut state = self.lock();
        let room = state.listener.as_ref().is_none_or(|listener| state.bytes < listener.buffer);
        if !room {
            return;
        }
        let at = Instant::now() + delay;
        state.sent += 1;
        state.bytes += datagram.bytes.len();
        let key = (at, state.sent);
        let earliest = state.coming.first_key_value().is_none_or(|(first, _)| key < *first);
        state.coming.insert(key, datagram);
        if earliest && let Some(listener) = &mut state.listener {
            listener.alarm.as_mut().reset(at);
        }
    }

    /// The next datagram for `ticket`, when it has arrived.
    pub(crate) fn poll(&self, ticket: u64, context: &mut Context<'_>) -> Poll<Datagram> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if !state.is_listening(ticket) {
                return Poll::Pending;
            }
            if let Some(datagram) = state.take(now) {
                return Poll::Ready(datagram);
            }
            let next = state.coming.first_key_value().map(|((at, _), _)| *at);
            let Some(listener) = &mut state.listener else { return Poll::Pending };
            let alarm = listener.alarm.as_mut();
            match next {
                Some(at) if alarm.deadline() != at => alarm.reset(at),
                None if alarm.deadline() < now + FAR / 2 => alarm.reset(now + FAR),
                Some(_) | None => {}
            }
            if listener.alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// The next datagram for `ticket`, if one has arrived; nobody is woken for later ones.
    pub(crate) fn take(&self, ticket: u64, now: Instant) -> Option<Datagram> {
        let mut state = self.lock();
        if state.is_listening(ticket) { state.take(now) } else { None }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_listening(&self, ticket: u64) -> bool {
        self.listener.as_ref().is_some_and(|listener| listener.ticket == ticket)
    }

    fn take(&mut self, now: Instant) -> Option<Datagram> {
        let first = self.coming.first_entry().filter(|first| first.key().0 <= now)?;
        let datagram = first.remove();
        self.bytes -= datagram.bytes.len();
        Some(datagram)
    }
}
