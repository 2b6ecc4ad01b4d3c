//! The application side of a Raft machine: sessions first, then the state machine, entry by entry.
//!
//! A snapshot holds both: the length of the session table, the table, and whatever the state machine writes. What the table
//! remembers of a request is the mark of its command, then its result.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use synod_protocols::LogIndex;
use synod_protocols::log::{Body, Entries, Entry};
use synod_protocols::raft::{Event, Raft};
use synod_protocols::session::{SessionLimits, Sessions, Verdict};

use crate::driver::{Effected, Frozen, Host, Thaw, Thawed};
use crate::services::replicated::names::Names;
use crate::services::replicated::payload::{Settled, body};
use crate::services::replicated::shared::{Shared, State};
use crate::services::replicated::standing::Standing;
use crate::services::state_machine::{Applied, StateMachine};
use crate::wire::{Form, decode, encode};

/// A session table above this was not written by us.
const SESSIONS_BYTES: u64 = 1 << 30;
/// Bytes of the mark of a command.
const MARK: usize = 8;

/// Applies a group's entries to one replica's state.
pub(crate) struct ReplicaHost<S: StateMachine> {
    shared: Arc<Shared<S>>,
    names: Arc<Names>,
}

impl<S: StateMachine> ReplicaHost<S> {
    pub(crate) fn new(shared: Arc<Shared<S>>, names: Arc<Names>) -> Self {
        Self { shared, names }
    }
}

impl<S: StateMachine> Host<Raft> for ReplicaHost<S> {
    fn apply(&mut self, entries: Entries) -> Effected {
        let mut state = self.shared.state();
        let (mut results, mut scratch) = (Vec::with_capacity(entries.len()), BytesMut::new());
        for &Entry { index, time, ref body, .. } in &entries {
            if state.machine.wake().is_some_and(|wake| wake <= time) {
                state.machine.expire(index, time);
            }
            match body {
                Body::Command { session, payload } => {
                    let at = Applied { index, time, session: *session };
                    results.push((index, state.apply(at, payload, &mut scratch)));
                }
                // A machine that holds data is never given what was withheld from it.
                Body::Noop | Body::Configuration(_) | Body::Withheld => {}
            }
            state.applied = index;
        }
        Effected { results, wake: state.machine.wake() }
    }

    fn snapshot(&mut self) -> Frozen {
        let state = self.shared.state();
        let (machine, sessions) = (state.machine.snapshot(), state.sessions.freeze());
        Frozen::new(move |writer| {
            let mut table = BytesMut::new();
            encode(&sessions, Form::Compact, &mut table).map_err(io::Error::other)?;
            writer.write_all(&(table.len() as u64).to_le_bytes())?;
            writer.write_all(&table)?;
            machine.write_to(writer)
        })
    }

    fn thaw(&self) -> Thaw {
        let (shared, limits) = (Arc::clone(&self.shared), self.shared.state().sessions.limits());
        Thaw::new(move |meta, reader| {
            let sessions = read_sessions(reader)?;
            if sessions.limits() != limits {
                return Err(other_limits(sessions.limits(), limits));
            }
            let (machine, index) = (S::restore(reader)?, meta.index);
            Ok(Thawed::new(move || shared.state().replace(machine, sessions, index)))
        })
    }

    fn failed(&mut self) {
        self.shared.state().machine.stopped();
    }

    fn event(&mut self, event: &Event) {
        let Names { node, service, .. } = &*self.names;
        let (node, service) = (&**node, &**service);
        match event {
            Event::RoleChanged { role, term, leader } => {
                let leader_name = leader.map_or_else(|| "unknown".to_owned(), |leader| self.names.of(leader));
                tracing::info!(node, service, ?role, term = term.0, leader = leader_name, "role changed");
                self.shared.stand(Standing { role: *role, term: *term, leader: *leader });
            }
            Event::Rejected { from, reason } => {
                tracing::warn!(node, service, peer = self.names.of(*from), %reason, "a peer's message was rejected");
            }
            Event::Reverted { last, acknowledged, named: true } => tracing::error!(
                node, service, %last, %acknowledged,
                "this node's disk was set back and bears its name still: it lacks what it had acknowledged, which the group does not tolerate"
            ),
            Event::Reverted { last, acknowledged, named: false } => tracing::info!(
                node, service, %last, %acknowledged,
                "this node's disk is another one than the one that acknowledged more: it is filled, and counts once the group has taken it in"
            ),
            Event::MembershipChanged { index, membership } => {
                let voters: Vec<_> =
                    membership.voters().into_iter().map(|voter| self.names.of(voter)).collect();
                tracing::info!(node, service, %index, ?voters, joint = membership.is_joint(), "another configuration is in force");
            }
            Event::Stranger { node: member, store, rejoin } => {
                let member = self.names.of(*member);
                tracing::warn!(
                    node, service, member, %store, rejoin,
                    "a member speaks from another disk than the group knows: its word does not count until it is replaced"
                );
            }
            Event::SnapshotInstalled { index } => {
                tracing::info!(node, service, %index, "the state was replaced by a snapshot")
            }
        }
    }
}

impl<S: StateMachine> Drop for ReplicaHost<S> {
    fn drop(&mut self) {
        self.shared.state().machine.stopped();
    }
}

impl<S: StateMachine> State<S> {
    fn replace(&mut self, machine: S, sessions: Sessions, applied: LogIndex) {
        let previous = std::mem::replace(&mut self.machine, machine);
        self.machine.adopt(previous);
        self.sessions = sessions;
        self.applied = applied;
    }

    fn apply(&mut self, at: Applied, payload: &[u8], scratch: &mut BytesMut) -> Bytes {
        let verdict = at.session.map_or(Verdict::Fresh, |tag| self.sessions.judge(tag, at.time));
        match verdict {
            Verdict::Fresh => self.execute(at, payload, scratch),
            Verdict::Duplicate(remembered) => first_result(&remembered, payload),
            Verdict::Stale => Settled::stale(),
            Verdict::Expired => Settled::expired(),
        }
    }

    /// Lets a command take effect, and remembers its result if the request bore a tag. `scratch` is where that is put together.
    fn execute(&mut self, at: Applied, payload: &[u8], scratch: &mut BytesMut) -> Bytes {
        scratch.clear();
        scratch.extend_from_slice(&at.session.map_or([0; MARK], |_| mark(payload)));
        match body(payload).and_then(|command| self.machine.apply_encoded(at, command)) {
            Some(reply) => Settled::put_reply(&reply, scratch),
            None => {
                tracing::error!(index = %at.index, "a command of an unknown form stands in the log");
                Settled::put_unreadable(scratch);
            }
        }
        if let Some(tag) = at.session {
            self.sessions.record(tag, at.time, scratch);
        }
        Bytes::copy_from_slice(&scratch[MARK..])
    }
}

/// Checksum and length of a command: enough to notice that a tag was used for another one by mistake.
fn mark(payload: &[u8]) -> [u8; MARK] {
    (u64::from(crc32c::crc32c(payload)) << 32 | payload.len() as u64 & 0xFFFF_FFFF).to_le_bytes()
}

/// The result remembered under a tag, if it is that of this command: its caller must not take another one's for its own.
fn first_result(remembered: &Bytes, payload: &[u8]) -> Bytes {
    match remembered.split_first_chunk() {
        Some((first, _)) if *first == mark(payload) => remembered.slice(MARK..),
        Some(_) | None => Settled::reused(),
    }
}

/// Replicas that remember differently would answer retries differently, and drift apart.
fn other_limits(found: SessionLimits, own: SessionLimits) -> io::Error {
    let reason = format!(
        "its sessions are limited to {found:?}, those of this node to {own:?}; give all members the same"
    );
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn read_sessions(reader: &mut dyn Read) -> io::Result<Sessions> {
    let mut length = [0; 8];
    reader.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > SESSIONS_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a session table beyond its limit"));
    }
    // Grows with what is really there: a wrong length takes no memory.
    let mut table = Vec::new();
    if (reader.take(length).read_to_end(&mut table)? as u64) < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    decode(&table, SESSIONS_BYTES as usize).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
