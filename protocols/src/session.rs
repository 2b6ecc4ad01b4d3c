//! Which requests have taken effect: the replicated table by which a retry takes effect once (dissertation §6.3).
//!
//! Part of the application's replicated state: every replica asks and records in the order of the log, with the log's time,
//! and the table travels in snapshots. Not a cache: what it forgets, and when, is the same everywhere.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};

use crate::log::SessionTag;
use crate::roll::Roll;
use crate::types::{ClientId, LogTime};

mod kept;

use kept::Kept;

/// How much is remembered, and for how long. The same on every replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLimits {
    /// Clients remembered; of more, the one that was silent longest is forgotten.
    pub max_sessions: usize,
    /// Replies remembered per client; of more, the one with the lowest number is forgotten. At least one.
    pub max_replies: usize,
    /// Bytes remembered in all; beyond it, clients are forgotten as for `max_sessions`, but never the one that came last.
    pub max_bytes: usize,
    /// Log time after which a silent client is forgotten.
    pub ttl: Duration,
}

impl Default for SessionLimits {
    /// An hour or the last 100,000 clients, whichever comes first, within 256 MiB.
    fn default() -> Self {
        Self { max_sessions: 100_000, max_replies: 32, max_bytes: 256 << 20, ttl: Duration::from_secs(3600) }
    }
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has not taken effect: let it, then [`Sessions::record`] the reply.
    Fresh,
    /// It has taken effect; this was the reply.
    Duplicate(Bytes),
    /// It is older than what is remembered of this client: whether it took effect is no longer known, so it must not.
    Stale,
    /// Nothing is remembered of the client, and it is not its first request: it must not take effect. The client starts anew
    /// under another id.
    Expired,
}

/// The table. A client's first request bears the number 1; a client waits for its reply before it sends others at a time.
///
/// A key that stands for one request, such as an HTTP idempotency key, is a client of its own with the one number 1.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Saved")]
pub struct Sessions {
    limits: SessionLimits,
    clients: Clients,
    /// Clients by their last use, which is the order in which they are forgotten, and when that was.
    by_use: BTreeMap<u64, (ClientId, LogTime)>,
    uses: u64,
    bytes: usize,
}

/// What is remembered of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Client {
    used: u64,
    used_at: LogTime,
    /// The highest number forgotten.
    floor: u64,
    /// Numbers above the floor and their replies, ascending: they come at the one end and go at the other.
    replies: VecDeque<(u64, Kept)>,
}

/// One client as the table remembers it.
#[derive(Clone, Copy, Debug)]
pub struct Remembered<'a> {
    id: ClientId,
    client: &'a Client,
}

/// Clients in pieces that are shared with frozen tables until they change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Clients {
    pieces: BTreeMap<u16, Arc<Roll<ClientId, Client>>>,
    count: usize,
}

/// The table as it was at one time, cheap to make: it shares what has not changed since.
#[derive(Clone, Debug)]
pub struct FrozenSessions {
    limits: SessionLimits,
    clients: Clients,
}

/// The table as it stands in snapshots: clients in the order in which they are forgotten.
#[derive(Serialize, Deserialize)]
struct Saved {
    limits: SessionLimits,
    #[expect(clippy::type_complexity, reason = "read and written in two places of this file")]
    clients: Vec<(ClientId, LogTime, u64, Vec<(u64, Bytes)>)>,
}

impl Sessions {
    /// What a client and a reply count for beyond the reply's own bytes.
    const OVERHEAD: usize = 96;

    /// An empty table.
    #[must_use]
    pub fn new(limits: SessionLimits) -> Self {
        Self { limits, clients: Clients::default(), by_use: BTreeMap::new(), uses: 0, bytes: 0 }
    }

    /// Judges a request that stands in the log at time `now`, after forgetting whoever was silent for too long.
    pub fn judge(&mut self, tag: SessionTag, now: LogTime) -> Verdict {
        self.expire(now);
        let Some(client) = self.clients.find(tag.client) else {
            return if tag.sequence <= 1 { Verdict::Fresh } else { Verdict::Expired };
        };
        match client.place(tag.sequence) {
            Ok(found) => Verdict::Duplicate(client.replies[found].1.to_bytes()),
            Err(_) if tag.sequence <= client.floor => Verdict::Stale,
            Err(_) => Verdict::Fresh,
        }
    }

    /// Remembers the reply to a fresh request that took effect at `now`.
    pub fn record(&mut self, tag: SessionTag, now: LogTime, reply: &[u8]) {
        self.uses += 1;
        let uses = self.uses;
        let client = self.clients.change(tag.client, || Client {
            used: uses,
            used_at: now,
            floor: 0,
            replies: VecDeque::with_capacity(1),
        });
        self.by_use.remove(&client.used);
        self.by_use.insert(uses, (tag.client, now));
        (client.used, client.used_at) = (uses, now);
        if let Err(place) = client.place(tag.sequence) {
            self.bytes += Self::OVERHEAD + reply.len();
            let most = self.limits.max_replies.max(1);
            // The lowest goes before this one comes, so that the queue never outgrows the limit; unless this one is the lowest.
            let place = if client.replies.len() >= most && place > 0 {
                self.bytes -= client.forget_lowest();
                place - 1
            } else {
                place
            };
            client.replies.insert(place, (tag.sequence, Kept::of(reply)));
            while client.replies.len() > most {
                self.bytes -= client.forget_lowest();
            }
        }
        while self.clients.count > self.limits.max_sessions.max(1)
            || (self.bytes > self.limits.max_bytes && self.clients.count > 1)
        {
            self.forget_oldest();
        }
    }

    /// Forgets every client that was silent for the time to live.
    pub fn expire(&mut self, now: LogTime) {
        while let Some((_, (_, used_at))) = self.by_use.first_key_value()
            && used_at.after(self.limits.ttl) <= now
        {
            self.forget_oldest();
        }
    }

    /// What is remembered of each client, in the order in which they are forgotten. For encodings of the table that do without serde.
    pub fn remembered(&self) -> impl Iterator<Item = Remembered<'_>> {
        self.by_use
            .values()
            .filter_map(|(id, _)| Some(Remembered { id: *id, client: self.clients.find(*id)? }))
    }

    /// Takes up a client that another table remembered; clients come in the order of [`Sessions::remembered`].
    pub fn take_up(&mut self, id: ClientId, used_at: LogTime, floor: u64, replies: Vec<(u64, Bytes)>) {
        self.uses += 1;
        self.by_use.insert(self.uses, (id, used_at));
        let used = self.uses;
        let replies = replies.iter().map(|(sequence, reply)| (*sequence, Kept::of(reply))).collect();
        let client = self.clients.change(id, || Client { used, used_at, floor, replies });
        self.bytes += client.bytes();
    }

    /// How much is remembered, and for how long.
    #[must_use]
    pub const fn limits(&self) -> SessionLimits {
        self.limits
    }

    /// The table as it is, to be written down later and elsewhere. Costs a pointer for every piece of at most some hundred clients.
    #[must_use]
    pub fn freeze(&self) -> FrozenSessions {
        FrozenSessions { limits: self.limits, clients: self.clients.clone() }
    }

    /// How many clients are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clients.count
    }

    /// Whether no client is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.count == 0
    }

    /// Bytes remembered, as they count for the limit.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn forget_oldest(&mut self) {
        let Some((_, (client, _))) = self.by_use.pop_first() else { return };
        if let Some(client) = self.clients.remove(client) {
            self.bytes -= client.bytes();
        }
    }
}

impl Client {
    /// Where the reply to a number is, or would be. Mostly it comes last.
    fn place(&self, sequence: u64) -> Result<usize, usize> {
        match self.replies.back() {
            Some((last, _)) if *last >= sequence => {
                self.replies.binary_search_by_key(&sequence, |(sequence, _)| *sequence)
            }
            Some(_) | None => Err(self.replies.len()),
        }
    }

    /// Forgets the reply to the lowest number; gives what it counted for.
    fn forget_lowest(&mut self) -> usize {
        let Some((sequence, forgotten)) = self.replies.pop_front() else { return 0 };
        self.floor = sequence;
        Sessions::OVERHEAD + forgotten.len()
    }

    fn bytes(&self) -> usize {
        self.replies.iter().map(|(_, reply)| Sessions::OVERHEAD + reply.len()).sum()
    }
}

impl<'a> Remembered<'a> {
    /// Who it is.
    #[must_use]
    pub const fn id(&self) -> ClientId {
        self.id
    }

    /// When it was last heard.
    #[must_use]
    pub const fn used_at(&self) -> LogTime {
        self.client.used_at
    }

    /// The highest number forgotten.
    #[must_use]
    pub const fn floor(&self) -> u64 {
        self.client.floor
    }

    /// The replies by number.
    pub fn replies(&self) -> impl ExactSizeIterator<Item = (u64, &'a [u8])> {
        self.client.replies.iter().map(|(sequence, reply)| (*sequence, reply.as_slice()))
    }
}

impl Clients {
    /// Into so many pieces clients are divided: a hundred in each when the default limit is reached.
    const PIECES: u64 = 1 << 10;

    fn find(&self, id: ClientId) -> Option<&Client> {
        self.pieces.get(&Self::piece(id))?.get(&id)
    }

    fn change(&mut self, id: ClientId, absent: impl FnOnce() -> Client) -> &mut Client {
        let count = &mut self.count;
        let piece = Arc::make_mut(self.pieces.entry(Self::piece(id)).or_default());
        piece.entry(id, || {
            *count += 1;
            absent()
        })
    }

    fn remove(&mut self, id: ClientId) -> Option<Client> {
        let number = Self::piece(id);
        let piece = Arc::make_mut(self.pieces.get_mut(&number)?);
        let removed = piece.remove(&id)?;
        self.count -= 1;
        if piece.is_empty() {
            self.pieces.remove(&number);
        }
        Some(removed)
    }

    /// Ids are hashes, or counted; the multiplication spreads both.
    fn piece(id: ClientId) -> u16 {
        (id.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32).rem_euclid(Self::PIECES) as u16
    }
}

impl From<&FrozenSessions> for Saved {
    fn from(frozen: &FrozenSessions) -> Self {
        let mut clients: Vec<_> = frozen.clients.pieces.values().flat_map(|piece| piece.iter()).collect();
        clients.sort_unstable_by_key(|(_, client)| client.used);
        let clients = clients.into_iter();
        let replies = |client: &Client| {
            client.replies.iter().map(|(sequence, reply)| (*sequence, reply.to_bytes())).collect()
        };
        let saved = clients.map(|(&id, client)| (id, client.used_at, client.floor, replies(client)));
        Self { limits: frozen.limits, clients: saved.collect() }
    }
}

impl Serialize for FrozenSessions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Saved::from(self).serialize(serializer)
    }
}

impl Serialize for Sessions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.freeze().serialize(serializer)
    }
}

impl From<Saved> for Sessions {
    fn from(saved: Saved) -> Self {
        let mut sessions = Self::new(saved.limits);
        for (id, used_at, floor, replies) in saved.clients {
            sessions.take_up(id, used_at, floor, replies);
        }
        sessions
    }
}

#[cfg(test)]
mod tests;
