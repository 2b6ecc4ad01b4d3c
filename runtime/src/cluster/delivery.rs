//! From frames to feeds: one push per target and batch, and messages sent back that no feed takes.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use synod_protocols::Timestamp;
use synod_transport::Role;

use super::session::Session;
use crate::actor::{Core, Feed};
use crate::error::{AskError, Cause};
use crate::wire::{Head, split_number};

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
                Err(cause) => refuse_all(core, session, frames, cause),
            }
        }
    }
}

fn feed_with(core: &Core, session: &Arc<Session>, feed: &Feed, received: Timestamp, mut frames: Vec<Bytes>) {
    if session.peer().role == Role::Client {
        let (allowed, denied) = frames.into_iter().partition(|frame| is_for_clients(feed, frame));
        frames = allowed;
        refuse_all(core, session, denied, Cause::Denied);
    }
    if let Err((refused, cause)) = feed.push_frames(session, received, frames) {
        refuse_all(core, session, refused, cause);
    }
}

fn is_for_clients(feed: &Feed, frame: &[u8]) -> bool {
    let Ok((Head::Tell(call) | Head::Ask(_, call), _)) = Head::peek(frame) else { return false };
    let (interface, _) = split_number(call.message);
    feed.interfaces.iter().any(|offered| offered.number == interface && offered.clients)
}

/// Sends messages back that are not delivered.
pub(super) fn refuse_all(core: &Core, session: &Arc<Session>, frames: Vec<Bytes>, cause: Cause) {
    for mut frame in frames {
        let Ok(head) = Head::read(&mut frame) else { unreachable!("its header has been read before") };
        core.refuse(session, &head, &frame, AskError::not_executed(cause));
    }
}
