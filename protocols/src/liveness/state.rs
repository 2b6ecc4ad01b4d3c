//! What a liveness machine holds, and its deeds: to beat, to listen, to suspect.
//!
//! No choice of input stands here; the machine's one `match` does.

use std::collections::BTreeMap;

use crate::liveness::config::Config;
use crate::liveness::message::{Event, Message};
use crate::protocol::Outbox;
use crate::types::{NodeId, Timestamp};

/// One node's end of all its pairs.
#[derive(Clone, Debug)]
pub struct Liveness {
    config: Config,
    pairs: BTreeMap<NodeId, Pair>,
    /// When to beat next; `None` while nobody wants to hear anybody.
    pub(super) beat_at: Option<Timestamp>,
}

/// This node's end of one pair.
#[derive(Clone, Copy, Debug)]
struct Pair {
    /// How many on this node want to hear of the peer's silence.
    watchers: usize,
    /// When the peer was heard last, or the watch began.
    heard: Timestamp,
    suspected: bool,
    /// Until when the peer wants to hear from this node.
    wanted_until: Option<Timestamp>,
}

impl Liveness {
    /// A machine that watches nobody.
    pub(super) fn new(config: Config) -> Self {
        Self { config, pairs: BTreeMap::new(), beat_at: None }
    }

    /// Whether a watched peer is suspected.
    #[must_use]
    pub fn suspects(&self, peer: NodeId) -> bool {
        self.pairs.get(&peer).is_some_and(|pair| pair.suspected)
    }

    /// How many peers beats go to.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    pub(super) fn watch(&mut self, now: Timestamp, peer: NodeId, out: &mut Outbox<Self>) {
        if peer == self.config.id {
            // Whoever asks is alive.
            return;
        }
        let pair = self.pair(now, peer);
        pair.watchers += 1;
        if pair.watchers == 1 {
            (pair.heard, pair.suspected) = (now, false);
            beat(peer, pair, out);
        }
    }

    pub(super) fn release(&mut self, peer: NodeId, out: &mut Outbox<Self>) {
        let Some(pair) = self.pairs.get_mut(&peer).filter(|pair| pair.watchers > 0) else { return };
        pair.watchers -= 1;
        if pair.watchers == 0 {
            pair.suspected = false;
            // The peer would stop by itself, a timeout later.
            beat(peer, pair, out);
        }
    }

    /// A peer is alive. One that begins to want this node hears it at once.
    pub(super) fn hear(&mut self, now: Timestamp, peer: NodeId, wanted: bool, out: &mut Outbox<Self>) {
        if peer == self.config.id || (!wanted && !self.pairs.contains_key(&peer)) {
            return;
        }
        let until = wanted.then(|| now.after(self.config.timeout));
        let pair = self.pair(now, peer);
        pair.heard = now;
        let first = pair.wanted_until.is_none() && wanted;
        pair.wanted_until = until;
        if first {
            beat(peer, pair, out);
        }
        if std::mem::replace(&mut pair.suspected, false) {
            out.emit(Event::Heard { peer });
        }
    }

    /// The link to a peer broke: its process has ended, or nothing was heard for longer than this machine would wait.
    pub(super) fn lose(&mut self, peer: NodeId, out: &mut Outbox<Self>) {
        let Some(pair) = self.pairs.get_mut(&peer) else { return };
        pair.wanted_until = None;
        suspect(peer, pair, out);
    }

    /// Beats for whom it concerns, suspects the silent, and forgets pairs that nobody needs.
    pub(super) fn beat_all(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        let Some(due) = self.beat_at.take_if(|due| *due <= now) else { return };
        let Config { interval, timeout, .. } = self.config;
        // A node that was held up itself must not take its own silence for that of the others.
        let late = now.since(due);
        let held_up = late > interval;
        if held_up {
            out.reached("held up, so that others are given the time");
        }
        self.pairs.retain(|_, pair| {
            pair.wanted_until = pair.wanted_until.filter(|&until| until > now);
            pair.watchers > 0 || pair.wanted_until.is_some()
        });
        for (&peer, pair) in &mut self.pairs {
            if held_up {
                pair.heard = pair.heard.after(late).min(now);
            }
            if now.since(pair.heard) >= timeout {
                suspect(peer, pair, out);
            }
            beat(peer, pair, out);
        }
        self.beat_at = (!self.pairs.is_empty()).then(|| now.after(interval));
    }

    fn pair(&mut self, now: Timestamp, peer: NodeId) -> &mut Pair {
        self.beat_at.get_or_insert(now.after(self.config.interval));
        let unknown = Pair { watchers: 0, heard: now, suspected: false, wanted_until: None };
        self.pairs.entry(peer).or_insert(unknown)
    }
}

fn suspect(peer: NodeId, pair: &mut Pair, out: &mut Outbox<Liveness>) {
    if pair.watchers > 0 && !std::mem::replace(&mut pair.suspected, true) {
        out.emit(Event::Suspected { peer });
    }
}

fn beat(peer: NodeId, pair: &Pair, out: &mut Outbox<Liveness>) {
    // Early: there is no disk that a beat could speak of.
    out.send_early(peer, Message::Beat { wanted: pair.watchers > 0 });
}
