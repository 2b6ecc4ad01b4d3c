//! What all parts of one actor system share: its identity, its actors, its links, its counters.
//!
//! No behaviour beyond counting and giving back; who sends and who receives stands elsewhere.

use std::any::Any;
use std::future::Future;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use synod_protocols::Timestamp;
use synod_transport::{CloseReason, Lane, PeerName};
use tokio::sync::Notify;

use super::asks::Entered;
use super::bonds::Bonds;
use super::catalogue::Catalogue;
use super::feed::{Feed, Item, LocalItem};
use super::ledger::Word;
use super::letter::DeadLetter;
use super::patience::Patience;
use super::registry::{Registry, Watcher};
use super::settings::Settings;
use super::terminated::{Reason, Terminated};
use crate::cluster::{Links, SendError, Session};
use crate::error::{AskError, Cause};
use crate::telemetry::{Counter, CounterFamily, Gauge};
use crate::wire::{Head, encode_body};

/// The shared parts of an actor system.
pub(crate) struct Core {
    pub(crate) settings: Settings,
    pub(crate) registry: Registry,
    pub(crate) catalogue: Catalogue,
    pub(crate) bonds: Bonds,
    pub(crate) links: Arc<Links>,
    /// When the deadlines of asks to actors of this node pass.
    pub(crate) patience: Patience,
    /// Told when a request with an earlier deadline than all others was entered, and at shutdown.
    pub(crate) sooner: Arc<Notify>,
    pub(crate) counters: Counters,
    /// Where the next actor without a name goes.
    pub(crate) turn: AtomicUsize,
    /// What the embedding program wants its actors to find. Not kept alive by them: it holds this system in its turn.
    pub(crate) attached: OnceLock<Weak<dyn Any + Send + Sync>>,
}

/// What an actor system counts.
pub(crate) struct Counters {
    pub(crate) dead_letters: CounterFamily,
    pub(crate) refused: CounterFamily,
    pub(crate) hostile: CounterFamily,
    pub(crate) limits: CounterFamily,
    /// Requests that were not begun because their callers had given up.
    pub(crate) cancelled: Counter,
    pub(crate) restarts: CounterFamily,
    pub(crate) escalations: Counter,
    pub(crate) actors: Gauge,
    /// Peers that were taken for dead and have not started again.
    pub(crate) quarantined: Gauge,
    /// Messages of peers that wait before actors.
    pub(crate) waiting: Gauge,
    /// Pairs of an actor and a link of which the actor's feed keeps account.
    pub(crate) accounts: Gauge,
}

/// Why a frame cannot be read, in the words of its metric, which is there before the first one.
const FAULTS: [&str; 9] =
    ["truncated", "kind", "flags", "cause", "number", "datagram", "protocol", "bulk", "body"];

/// What a peer may take no more than its share of, in the words of their metric.
const LIMITS: [&str; 5] = ["asks", "watches", "answers", "interfaces", "bulk"];

/// After what actors are started again.
const RESTARTED: [Reason; 3] = [Reason::Panicked, Reason::Stopped, Reason::Escalated];

impl Counters {
    /// Counts an actor that was started again after it had fallen.
    pub(crate) fn restarted(&self, fallen: Reason) {
        self.restarts.get_or_create(&vec![("reason", fallen.as_str().to_owned())]).inc();
    }
}

impl Core {
    pub(crate) fn new(settings: Settings) -> Self {
        let metrics = &settings.metrics;
        let counters = Counters {
            dead_letters: metrics
                .counters("synod_dead_letters", "Messages that came back to this node, by cause"),
            refused: metrics
                .counters("synod_messages_refused", "Messages of peers that were not delivered, by cause"),
            hostile: metrics
                .counters("synod_frames_malformed", "Frames of peers that could not be read, by fault"),
            limits: metrics
                .counters("synod_peer_limits_reached", "Refusals to peers that had their share, by limit"),
            cancelled: metrics
                .counter("synod_asks_cancelled", "Requests not begun because their callers had given up"),
            restarts: metrics.counters("synod_actor_restarts", "Restarts of actors, by what ended them"),
            escalations: metrics.counter("synod_actor_escalations", "Children that took their parent along"),
            actors: metrics.gauge("synod_actors", "Living actors"),
            quarantined: metrics.gauge(
                "synod_peers_quarantined",
                "Peers that were taken for dead and have not started again",
            ),
            waiting: metrics.gauge("synod_feed_messages", "Messages of peers that wait before actors"),
            accounts: metrics.gauge("synod_feed_accounts", "Links of which feeds of actors keep account"),
        };
        for fault in FAULTS {
            counters.hostile.get_or_create(&vec![("fault", fault.to_owned())]).inc_by(0);
        }
        for limit in LIMITS {
            counters.limits.get_or_create(&vec![("limit", limit.to_owned())]).inc_by(0);
        }
        for reason in RESTARTED {
            counters.restarts.get_or_create(&vec![("reason", reason.as_str().to_owned())]).inc_by(0);
        }
        for cause in Cause::ALL.map(|(_, _, cause)| cause.to_owned()) {
            counters.refused.get_or_create(&vec![("cause", cause.clone())]).inc_by(0);
            counters.dead_letters.get_or_create(&vec![("cause", cause)]).inc_by(0);
        }
        Self {
            settings,
            registry: Registry::default(),
            catalogue: Catalogue::default(),
            bonds: Bonds::default(),
            links: Arc::default(),
            patience: Patience::default(),
            sooner: Arc::default(),
            counters,
            turn: AtomicUsize::new(0),
            attached: OnceLock::new(),
        }
    }

    pub(crate) fn name(&self) -> &PeerName {
        &self.settings.name
    }

    pub(crate) fn incarnation(&self) -> u64 {
        self.settings.incarnation.0
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.settings.env.clock.now()
    }

    /// Runs a future on one of the places for actors.
    pub(crate) fn run(&self, place: usize, work: impl Future<Output = ()> + Send + 'static) {
        let start = move || {
            actix_rt::spawn(work);
        };
        self.settings.env.spawner.start_at(place, Box::new(start));
    }

    /// Reports a message that came back or never left.
    pub(crate) fn dead_letter(&self, letter: DeadLetter) {
        let cause = letter.error.cause.as_str().to_owned();
        self.counters.dead_letters.get_or_create(&vec![("cause", cause)]).inc();
        tracing::debug!(
            node = %self.name(), target_node = %letter.node, actor = letter.actor, message = letter.message,
            error = %letter.error, "dead letter"
        );
        (self.settings.dead_letters.0)(letter);
    }

    /// Counts a frame that is none.
    pub(crate) fn hostile(&self, session: &Session, fault: &'static str) {
        self.counters.hostile.get_or_create(&vec![("fault", fault.to_owned())]).inc();
        tracing::debug!(node = %self.name(), peer = %session.peer().name, fault, "malformed frame");
    }

    /// Says to a peer that its message was not delivered.
    pub(crate) fn refuse(&self, session: &Arc<Session>, head: &Head, body: &Bytes, error: AskError) {
        self.count_refusal(error.cause);
        if let Some((lane, head, body)) = session.refuse(head, body, error) {
            self.send_later(session.clone(), lane, head, body);
        }
    }

    /// Counts a refusal to a peer that has its share of something.
    pub(crate) fn limit_reached(&self, limit: &'static str) {
        self.counters.limits.get_or_create(&vec![("limit", limit.to_owned())]).inc();
    }

    /// Counts a message of a peer that is not delivered.
    pub(crate) fn count_refusal(&self, cause: Cause) {
        self.counters.refused.get_or_create(&vec![("cause", cause.as_str().to_owned())]).inc();
    }

    /// Sends a frame with a ready body as soon as its lane has room.
    pub(crate) fn send(&self, session: Arc<Session>, lane: Lane, head: Head, body: Bytes) {
        let sent = session.send(lane, &head, &mut |out| {
            out.extend_from_slice(&body);
            Ok(())
        });
        if matches!(sent, Err(SendError::Full | SendError::TooLarge)) {
            self.send_later(session, lane, head, body);
        }
    }

    fn send_later(&self, session: Arc<Session>, lane: Lane, head: Head, body: Bytes) {
        let (size, limit) = (body.len(), self.settings.limits.peer_answer_bytes_max);
        if size > 0 && !session.shares.answers.take(size, limit) {
            self.limit_reached("answers");
            return match head {
                // The request was executed, and its answer is not kept for as long as the peer does not read.
                Head::Reply { correlation, .. } => {
                    let head = Head::Failure { correlation, error: AskError::unknown(Cause::LinkFull) };
                    self.send(session, lane, head, Bytes::new());
                }
                _ => session.link().close(CloseReason::Violation("it reads no answers".to_owned())),
            };
        }
        if !session.wait_for_room() {
            session.shares.answers.give(size);
            // Without a bound, a peer that asks and never reads would fill this node's memory.
            session.link().close(CloseReason::Violation("it reads no answers".to_owned()));
            return;
        }
        self.run(0, async move {
            // A link that breaks meanwhile has told the peer what it needs to know.
            let _ = session.send_patiently(lane, &head, body).await;
            session.shares.answers.give(size);
            session.waited_for_room();
        });
    }

    /// Tells everybody who waits for the end of an actor, and forgets it.
    pub(crate) fn terminate(&self, actor: u64, reason: Reason) {
        let terminated = Terminated { reason, incarnation: self.incarnation() };
        for watcher in self.registry.leave(actor, reason) {
            self.tell(watcher, terminated);
        }
    }

    /// Tells one watcher.
    pub(crate) fn tell(&self, watcher: Watcher, terminated: Terminated) {
        match watcher {
            // Who dropped his watch does not want to know.
            Watcher::Local(sender) => drop(sender.send(terminated)),
            Watcher::Remote(session, correlation) => {
                session.shares.watches.give(1);
                let head = Head::Reply { correlation, stream: false };
                self.send(session, Lane::Control, head, encode_body(&terminated));
            }
        }
    }

    /// Says to a peer what an actor's feed has let go.
    pub(crate) fn grant(&self, actor: u64, word: Word) {
        let Word { session, spent, grant } = word;
        self.send(session, Lane::Control, Head::Credit { target: actor, spent, grant }, Bytes::new());
    }

    /// Closes the feed of an actor that is no more: what was taken from it before and what waits in it comes back.
    pub(crate) fn close(&self, feed: &Feed, taken: impl IntoIterator<Item = Item>) {
        let (waiting, words) = feed.close(Cause::Stopped);
        for item in taken.into_iter().chain(waiting) {
            if let Item::Remote(run) = &item {
                self.counters.waiting.dec_by(run.frames.len() as i64);
            }
            self.give_back(feed, item, AskError::not_executed(Cause::Stopped));
        }
        self.counters.accounts.dec_by(words.len() as i64);
        for word in words {
            self.grant(feed.actor, word);
        }
    }

    /// Gives back a message that was accepted and will not be delivered.
    fn give_back(&self, feed: &Feed, item: Item, error: AskError) {
        match item {
            Item::Local(LocalItem { ask: Some(ask), .. }) => feed.fail(ask, error),
            Item::Local(LocalItem { call, .. }) => self.dead_letter(DeadLetter {
                node: self.name().clone(),
                actor: feed.actor,
                message: call.id().to_owned(),
                error,
                body: None,
            }),
            Item::Remote(run) => {
                for mut frame in run.frames {
                    match Head::read(&mut frame) {
                        Ok(head) => self.refuse(&run.session, &head, &frame, error),
                        Err(_) => unreachable!("the switchboard has read this header"),
                    }
                }
            }
        }
    }

    /// Somebody is told that a peer is down. Whatever it does later, that stays true until it starts again: nobody here talks with it
    /// as if nothing had happened.
    pub(crate) fn quarantine(&self, name: &PeerName, incarnation: u64) {
        let Some((count, session)) = self.links.quarantine(name, incarnation) else { return };
        self.counters.quarantined.set(count as i64);
        tracing::warn!(
            node = %self.name(), peer = %name, incarnation,
            "a watcher was told that the peer is down: its actors are not talked with until it has started again"
        );
        if let Some(session) = session {
            session.flows.close();
        }
    }

    /// An ask has come into a feed: it is looked at again when the ask is due, if nothing else is before.
    pub(crate) fn expect(&self, feed: &Arc<Feed>, entered: &Entered) {
        if let Some(due) = entered.due
            && self.patience.enter(due, feed)
        {
            self.sooner.notify_one();
        }
    }

    /// The deadline of a request that waits for `limit` from here on.
    pub(crate) fn deadline(&self, limit: std::time::Duration) -> Timestamp {
        self.now().after(limit)
    }

    /// Why a reference to this node is of no use, if it is of none.
    pub(crate) fn check_incarnation(&self, incarnation: u64) -> Result<(), AskError> {
        if incarnation == self.incarnation() {
            Ok(())
        } else {
            Err(AskError::not_executed(Cause::StaleIncarnation))
        }
    }
}
