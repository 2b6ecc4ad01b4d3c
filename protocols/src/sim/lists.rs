//! An application that shows both loss and repetition: lists by key, to which each command appends a number of its own.
//!
//! A command bears a session tag or none; a retry with the same tag gets the first answer again. Not for use outside simulations.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::log::{Body, Entry, SessionTag, SnapshotMeta};
use crate::session::{SessionLimits, Sessions, Verdict};
use crate::sim::application::Application;
use crate::sim::trace::{mix, mix_bytes};
use crate::types::{ClientId, LogTime};

/// One command: append `id` to the list of `key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Append {
    /// The key.
    pub key: u32,
    /// A number that no other command bears.
    pub id: u64,
}

impl Append {
    /// The command as an entry's payload, with `padding` bytes that mean nothing.
    #[must_use]
    pub fn encode(self, padding: usize) -> Bytes {
        let mut bytes = BytesMut::with_capacity(12 + padding);
        bytes.put_u32(self.key);
        bytes.put_u64(self.id);
        bytes.put_bytes(0, padding);
        bytes.freeze()
    }

    fn decode(mut payload: &[u8]) -> Option<Self> {
        if payload.len() < 12 {
            return None;
        }
        Some(Self { key: payload.get_u32(), id: payload.get_u64() })
    }
}

/// The lists, and which requests took effect on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lists {
    lists: BTreeMap<u32, Vec<u64>>,
    sessions: Sessions,
    digest: u64,
}

impl Default for Lists {
    fn default() -> Self {
        Self { lists: BTreeMap::new(), sessions: Sessions::new(SessionLimits::default()), digest: 0 }
    }
}

impl Lists {
    /// The list of a key.
    #[must_use]
    pub fn list(&self, key: u32) -> &[u64] {
        self.lists.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Every list, by key.
    pub fn lists(&self) -> impl Iterator<Item = (u32, &[u64])> {
        self.lists.iter().map(|(&key, list)| (key, list.as_slice()))
    }

    /// Where an append put its number, counted from 1, as its answer says; `None` for an answer that says something else.
    #[must_use]
    pub fn position(answer: &Bytes) -> Option<u64> {
        let position = u64::from_be_bytes(answer.as_ref().try_into().ok()?);
        (position > 0).then_some(position)
    }

    fn append(&mut self, command: Append) -> Bytes {
        let list = self.lists.entry(command.key).or_default();
        list.push(command.id);
        Bytes::copy_from_slice(&(list.len() as u64).to_be_bytes())
    }

    /// The answer is empty where the request must not take effect, which no client that keeps to the rules ever sees.
    fn once(&mut self, tag: SessionTag, now: LogTime, command: Append) -> Bytes {
        match self.sessions.judge(tag, now) {
            Verdict::Fresh => {
                let answer = self.append(command);
                self.sessions.record(tag, now, &answer);
                answer
            }
            Verdict::Duplicate(answer) => answer,
            Verdict::Stale | Verdict::Expired => Bytes::new(),
        }
    }
}

impl Application for Lists {
    fn apply(&mut self, entry: &Entry) -> Bytes {
        let Body::Command { session, payload } = &entry.body else { return Bytes::new() };
        let Some(command) = Append::decode(payload) else { return Bytes::new() };
        let answer = match session {
            Some(tag) => self.once(*tag, entry.time, command),
            None => self.append(command),
        };
        self.digest = mix_bytes(mix(self.digest, entry.index.0), &answer);
        answer
    }

    fn wake(&self) -> Option<LogTime> {
        None
    }

    fn snapshot(&self) -> Bytes {
        let numbers: usize = self.lists.values().map(Vec::len).sum();
        let mut bytes = BytesMut::with_capacity(16 + 12 * self.lists.len() + 8 * numbers);
        bytes.put_u64(self.digest);
        bytes.put_u64(self.lists.len() as u64);
        for (key, list) in &self.lists {
            bytes.put_u32(*key);
            bytes.put_u64(list.len() as u64);
            list.iter().for_each(|&id| bytes.put_u64(id));
        }
        for client in self.sessions.remembered() {
            let replies = client.replies();
            for word in [client.id().0, client.used_at().0, client.floor(), replies.len() as u64] {
                bytes.put_u64(word);
            }
            for (sequence, answer) in replies {
                bytes.put_u64(sequence);
                bytes.put_u64(answer.len() as u64);
                bytes.put_slice(answer);
            }
        }
        bytes.freeze()
    }

    fn restore(&mut self, _meta: &SnapshotMeta, state: &Bytes) {
        let mut state = state.clone();
        *self = Self { digest: state.get_u64(), ..Self::default() };
        for _ in 0..state.get_u64() {
            let key = state.get_u32();
            let length = state.get_u64();
            self.lists.insert(key, (0..length).map(|_| state.get_u64()).collect());
        }
        while state.has_remaining() {
            let (client, used_at) = (ClientId(state.get_u64()), LogTime(state.get_u64()));
            let (floor, count) = (state.get_u64(), state.get_u64());
            let mut replies = Vec::new();
            for _ in 0..count {
                let (sequence, length) = (state.get_u64(), state.get_u64());
                replies.push((sequence, state.copy_to_bytes(length as usize)));
            }
            self.sessions.take_up(client, used_at, floor, replies);
        }
    }

    fn digest(&self) -> u64 {
        self.digest
    }
}
