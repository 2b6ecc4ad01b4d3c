//! One node: the machine as it is, its disk, and what waits for the disk. The application takes what it is given at once.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use synod_protocols::log::{Body, Entry, Position};
use synod_protocols::raft::{Alarm, Event, Message, Naming, Raft, Record};
use synod_protocols::{
    Effect, Input, LogIndex, LogTime, NodeId, Outbox, Protocol, Recovered, Term, Timestamp, WriteId,
};

use crate::bounds::Bounds;
use crate::naming::Renaming;

/// What survives a crash.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) ballot: Option<(Term, Option<NodeId>)>,
    founding: Option<Record>,
    pub(crate) entries: Vec<Entry>,
}

/// A node between two inputs.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) raft: Raft,
    outbox: Outbox<Raft>,
    pub(crate) disk: Disk,
    /// Writes that are not durable, in order.
    unsynced: VecDeque<Effect<Raft>>,
    /// What may be said once a write is durable.
    held: VecDeque<(WriteId, NodeId, Message)>,
    durable: WriteId,
    /// What the machine held against a peer, which was none of its business: every peer keeps the rules here.
    pub(crate) complaint: Option<String>,
}

impl Disk {
    /// A disk with a ballot and entries of nothing but terms.
    pub(crate) fn holding(term: Term, vote: Option<NodeId>, entries: impl Iterator<Item = Term>) -> Self {
        let entry =
            |(index, term)| Entry { term, index: LogIndex(index), time: LogTime::ZERO, body: Body::Noop };
        Self { ballot: Some((term, vote)), founding: None, entries: (1..).zip(entries).map(entry).collect() }
    }

    /// Whether the disk holds an entry.
    pub(crate) fn holds(&self, position: Position) -> bool {
        self.entries.iter().any(|entry| entry.position() == position)
    }

    /// The term on the disk.
    pub(crate) fn term(&self) -> Term {
        self.ballot.map(|(term, _)| term).unwrap_or_default()
    }

    fn write(&mut self, effect: Effect<Raft>) -> WriteId {
        match effect {
            Effect::Persist { id, records } => {
                for record in records {
                    match record {
                        Record::Ballot { term, vote } => self.ballot = Some((term, vote)),
                        Record::Founding(_) => self.founding = Some(record),
                        Record::Entry(entry) => {
                            self.entries.retain(|held| held.index < entry.index);
                            self.entries.push(entry);
                        }
                        Record::Anchor(_) => unreachable!("no witness in this model"),
                    }
                }
                id
            }
            Effect::Truncate { id, from } => {
                self.entries.retain(|held| held.index < from);
                id
            }
            other => unreachable!("no write of this model: {other:?}"),
        }
    }

    fn recovered(&self) -> Recovered<Record> {
        let ballot = self.ballot.map(|(term, vote)| Record::Ballot { term, vote });
        Recovered {
            cells: ballot.into_iter().chain(self.founding.clone()).collect(),
            snapshot: None,
            log: self.entries.iter().cloned().map(Record::Entry).collect(),
        }
    }
}

impl Node {
    /// A node that starts from a disk.
    pub(crate) fn start(bounds: &Bounds, id: NodeId, disk: Disk) -> Self {
        let raft = Raft::restore(bounds.config(id).into(), 0, disk.recovered());
        let mut node = Self {
            raft,
            outbox: Outbox::default(),
            disk,
            unsynced: VecDeque::new(),
            held: VecDeque::new(),
            durable: WriteId::ZERO,
            complaint: None,
        };
        let said = node.handle(bounds, Timestamp::ZERO, Input::Timeout);
        assert!(said.is_empty(), "a node that starts waits first");
        node
    }

    /// Loses what was not synced and starts again.
    pub(crate) fn crash(&self, bounds: &Bounds) -> Self {
        Self::start(bounds, self.raft.status().id, self.disk.clone())
    }

    /// Takes one input, and all that it entails without anybody else, and returns what the node says to others.
    pub(crate) fn handle(
        &mut self,
        bounds: &Bounds,
        now: Timestamp,
        input: Input<Raft>,
    ) -> Vec<(NodeId, Message)> {
        let mut said = Vec::new();
        let mut inputs = VecDeque::from([(now, input)]);
        while let Some((now, input)) = inputs.pop_front() {
            self.raft.handle(now, input, &mut self.outbox);
            inputs.extend(self.carry_out(&mut said).into_iter().map(|answer| (Timestamp::ZERO, answer)));
            if !bounds.slow_disks && self.writes() {
                inputs.push_back((Timestamp::ZERO, Input::Persisted(self.sync_all(&mut said))));
            }
            if inputs.is_empty() && self.raft.awaits(Alarm::FLUSH) {
                self.raft.bring_forward(Alarm::FLUSH, Timestamp::ZERO);
                inputs.push_back((Timestamp::ZERO, Input::Timeout));
            }
        }
        self.raft.forget_time();
        said
    }

    /// Makes the oldest write durable and tells the machine.
    pub(crate) fn sync(&mut self, bounds: &Bounds) -> Vec<(NodeId, Message)> {
        let Some(write) = self.unsynced.pop_front() else { return Vec::new() };
        self.durable = self.disk.write(write);
        let mut said = Vec::new();
        self.release(&mut said);
        said.extend(self.handle(bounds, Timestamp::ZERO, Input::Persisted(self.durable)));
        said
    }

    /// Whether the disk has something to do.
    pub(crate) fn writes(&self) -> bool {
        !self.unsynced.is_empty()
    }

    /// An entry of the log, in memory or on the disk.
    pub(crate) fn entry(&self, index: LogIndex) -> Option<&Entry> {
        let on_disk = || self.disk.entries.iter().find(|entry| entry.index == index);
        self.raft.term_at(index).and_then(|_| self.raft.entry(index).or_else(on_disk))
    }

    /// A digest of the node under other names.
    pub(crate) fn digest(&self, renaming: &Renaming) -> u64 {
        let mut hasher = DefaultHasher::new();
        let node = |id| renaming.of(id);
        self.raft.fingerprint(Naming { node: &node, epoch: &|_| 0 }, &mut hasher);
        self.disk.ballot.map(|(term, vote)| (term, vote.map(node))).hash(&mut hasher);
        self.disk.founding.is_some().hash(&mut hasher);
        for entry in &self.disk.entries {
            (entry.term, entry.index, matches!(entry.body, Body::Noop)).hash(&mut hasher);
        }
        for write in &self.unsynced {
            hash_write(write, renaming, &mut hasher);
        }
        for (after, to, message) in &self.held {
            (after.0 - self.durable.0, node(*to), crate::network::digest(message)).hash(&mut hasher);
        }
        self.complaint.hash(&mut hasher);
        hasher.finish()
    }

    /// Carries out what needs nobody else. Returns what the application and the disk have to answer.
    fn carry_out(&mut self, said: &mut Vec<(NodeId, Message)>) -> Vec<Input<Raft>> {
        let mut answers = Vec::new();
        for effect in self.outbox.take() {
            match effect {
                Effect::Send { to, message, after } if after > self.durable => {
                    self.held.push_back((after, to, message));
                }
                Effect::Send { to, message, .. } => said.push((to, message)),
                Effect::Persist { .. } | Effect::Truncate { .. } => self.unsynced.push_back(effect),
                Effect::Apply { entries } => {
                    let upto = entries.last().expect("something is applied").index;
                    answers.push(Input::Applied { upto, results: Vec::new(), wake: None });
                }
                Effect::Load { request, from, to, .. } => {
                    let wanted = self.disk.entries.iter().filter(|entry| (from..=to).contains(&entry.index));
                    let records = wanted.cloned().map(Record::Entry).collect();
                    answers.push(Input::Loaded { request, records });
                }
                Effect::Reply { .. } => {}
                Effect::Emit { event: Event::RoleChanged { .. }, .. } => {}
                Effect::Emit { event, .. } => self.complaint = Some(format!("{event:?}")),
                other => unreachable!("no effect of this model: {other:?}"),
            }
        }
        self.outbox.take_reached();
        answers
    }

    fn sync_all(&mut self, said: &mut Vec<(NodeId, Message)>) -> WriteId {
        while let Some(write) = self.unsynced.pop_front() {
            self.durable = self.disk.write(write);
        }
        self.release(said);
        self.durable
    }

    fn release(&mut self, said: &mut Vec<(NodeId, Message)>) {
        while let Some((_, to, message)) = self.held.pop_front_if(|(after, ..)| *after <= self.durable) {
            said.push((to, message));
        }
    }
}

fn hash_write(write: &Effect<Raft>, renaming: &Renaming, into: &mut impl Hasher) {
    match write {
        Effect::Persist { records, .. } => {
            for record in records.iter() {
                match &*record {
                    Record::Ballot { term, vote } => (0u8, term, vote.map(|it| renaming.of(it))).hash(into),
                    Record::Founding(_) => 1u8.hash(into),
                    Record::Entry(entry) => (2u8, entry.term, entry.index).hash(into),
                    Record::Anchor(_) => unreachable!("no witness in this model"),
                }
            }
        }
        Effect::Truncate { from, .. } => (3u8, from).hash(into),
        other => unreachable!("no write of this model: {other:?}"),
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.raft.status();
        let log: Vec<_> = (1..=status.last_index.0).filter_map(|i| self.raft.term_at(LogIndex(i))).collect();
        write!(f, "{:?} {:?} {:?} vote {:?}", status.id, status.role, status.term, status.vote)?;
        write!(f, " log {log:?} committed {} durable {}", status.commit, status.durable_index)?;
        let disk: Vec<_> = self.disk.entries.iter().map(|entry| entry.term).collect();
        write!(
            f,
            " | disk {:?} {disk:?} | {} writes, {} held",
            self.disk.ballot,
            self.unsynced.len(),
            self.held.len()
        )
    }
}
