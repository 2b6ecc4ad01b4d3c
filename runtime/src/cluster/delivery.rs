//! From frames to feeds: one push per target and batch, and messages sent back that no feed takes.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use synod_protocols::Timestamp;
use synod_transport::Peer;

use super::session::Session;
use crate::actor::{Closing, Core, Fed, Feed, Word};
use crate::error::{AskError, Cause};
use crate::wire::{Grant, Head, Load, split_number};

/// The messages of one batch by target, in the order in which the targets were first met.
#[derive(Default)]
pub(super) struct Sorted {
    groups: Vec<(u64, Vec<Bytes>)>,
    positions: HashMap<u64, usize>,
    last: usize,
}

impl Sorted {
    /// Adds a tell or an ask.
    pub(super) fn add(&mut self, target: u64, frame: Bytes) {
        if self.groups.get(self.last).is_none_or(|(known, _)| *known != target) {
            self.last = *self.positions.entry(target).or_insert(self.groups.len());
            if self.last == self.groups.len() {
                self.groups.push((target, Vec::new()));
            }
        }
        self.groups[self.last].1.push(frame);
    }

    /// Puts every message into its target's feed, or sends it back.
    pub(super) fn deliver(self, core: &Core, session: &Arc<Session>) {
        let received = core.now();
        for (target, frames) in self.groups {
            match core.registry.find(target) {
                Ok(feed) => feed_with(core, session, &feed, received, frames),
                Err(cause) => refuse_all(core, session, target, frames, cause),
            }
        }
    }
}

fn feed_with(core: &Core, session: &Arc<Session>, feed: &Feed, received: Timestamp, mut frames: Vec<Bytes>) {
    if !feed.is_open_to(session.peer()) {
        let (allowed, denied) = frames.into_iter().partition(|frame| is_for(session.peer(), feed, frame));
        frames = allowed;
        refuse_all(core, session, feed.actor, denied, Cause::Denied);
    }
    if frames.is_empty() {
        return;
    }
    // Counted before, so that what is handled at once was counted.
    core.counters.waiting.inc_by(frames.len() as i64);
    let Fed { opened, refused } = feed.push_frames(session, received, frames);
    if opened {
        core.counters.accounts.inc();
        for idle in session.owing.enter(feed.actor).into_iter().flatten() {
            forget(core, session, idle);
        }
    }
    if let Some((refused, cause)) = refused {
        core.counters.waiting.dec_by(refused.len() as i64);
        refuse_all(core, session, feed.actor, refused, cause);
    }
}

/// There are many accounts of this link: one that lies idle is closed.
fn forget(core: &Core, session: &Arc<Session>, actor: u64) {
    let Ok(feed) = core.registry.find(actor) else { return };
    match feed.forget(session) {
        Closing::Nothing => {}
        Closing::Busy => session.owing.enter_again(actor),
        Closing::Closed(word) => {
            core.counters.accounts.dec();
            core.grant(actor, word);
        }
    }
}

fn is_for(peer: &Peer, feed: &Feed, frame: &[u8]) -> bool {
    let Ok((Head::Tell(call) | Head::Ask(_, call), _)) = Head::peek(frame) else { return false };
    let (interface, _) = split_number(call.message);
    feed.offer.interfaces.iter().any(|offered| offered.number == interface && offered.is_for(peer))
}

/// Sends messages for one actor back that no feed took, and with them the room in its window.
pub(super) fn refuse_all(core: &Core, session: &Arc<Session>, target: u64, frames: Vec<Bytes>, cause: Cause) {
    let mut spent = Load::default();
    for mut frame in frames {
        spent += Load::of(frame.len());
        let Ok(head) = Head::read(&mut frame) else { unreachable!("its header has been read before") };
        core.refuse(session, &head, &frame, AskError::not_executed(cause));
    }
    let grant = if cause == Cause::Stopped { Grant::Gone } else { Grant::Same };
    core.grant(target, Word { session: session.clone(), spent, grant });
}
