//! A machine as its disk describes it (RT-46).
//!
//! Trusts what its own disk says as far as it is consistent, and refuses to start from anything else.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::log::{MemoryLog, Outline, Position, SnapshotMeta};
use crate::prng::Prng;
use crate::protocol::{Outbox, Recovered};
use crate::raft::config::Config;
use crate::raft::configurations::Configurations;
use crate::raft::members::configurations_of;
use crate::raft::membership::Membership;
use crate::raft::record::Record;
use crate::raft::reserve::Reserve;
use crate::raft::rest::Hibernation;
use crate::raft::state::{Applying, Raft, Snapshots, Standing};
use crate::raft::status::Role;
use crate::raft::waiting::Waiters;
use crate::timer::Timers;
use crate::types::{LogIndex, LogTime, NodeId, RequestId, Term, Timestamp, WriteId};

impl Raft {
    /// The machine that wrote `recovered`, before its first input.
    pub(super) fn recover(config: Arc<Config>, seed: u64, recovered: Recovered<Record>) -> Self {
        let Cells { ballot: (term, vote), founders, anchor } = Cells::of(recovered.cells);
        let snapshot = anchor.or(recovered.snapshot);
        let founding = founders.is_none();
        let known = snapshot.as_ref().map(|meta| &meta.configuration).or(founders.as_ref());
        let membership = known.map_or_else(
            || Membership::founding(&config.voters, &config.witnesses),
            |bytes| Membership::decode(bytes).expect("a configuration that this program wrote"),
        );
        let base = snapshot.as_ref().map_or(Position::START, |meta| meta.position());
        let time = snapshot.as_ref().map_or(LogTime::ZERO, |meta| meta.time);
        let mut configurations = Configurations::new(base.index, membership);
        for (index, membership) in carried(recovered.log.whole(), base.index) {
            configurations.push(index, membership);
        }
        let (log, repair) = rebuild(base, time, &recovered.log);
        if repair.is_some() {
            configurations.truncate(base.index.next());
        }
        let (term, vote) = ballot(&config, (term, vote), log.last().term);
        Self {
            configurations,
            founding,
            prng: Prng::fork(seed, config.id.0),
            timers: Timers::default(),
            repair,
            started: false,
            dead: false,
            space: true,
            reverted: false,
            term,
            vote,
            ballot_write: WriteId::ZERO,
            standing: Standing::Follower,
            leader: None,
            leader_contact: None,
            pledged: None,
            rounds: None,
            reserve: Reserve::default(),
            announced: (Role::Follower, term, None),
            unwritten: log.last().index.next(),
            writes: VecDeque::new(),
            durable_write: WriteId::ZERO,
            durable: log.last().index,
            clock: (log.last_time(), Timestamp::ZERO),
            commit: base.index,
            applying: Applying { applied: base.index, issued: base.index, issued_time: time, bytes: 0 },
            snapshots: Snapshots {
                index: base.index,
                bytes: 0,
                counted_from: base.index,
                counted_since: time,
                taking: false,
                wanted: false,
                askers: Vec::new(),
                installing: None,
                loans: BTreeMap::new(),
            },
            waiting: Waiters::default(),
            waiting_bytes: 0,
            handover: None,
            ambition: (config.priority > 0).then(Box::default),
            wake: None,
            loads: BTreeMap::new(),
            last_request: RequestId::ZERO,
            hibernation: Hibernation::default(),
            log,
            config,
        }
    }

    /// What the first input finds undone: clocks to set, and a disk to put right.
    pub(super) fn start(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        self.started = true;
        self.clock.1 = now;
        self.pledged = Some(now);
        if let Some(upto) = self.repair.take() {
            out.reached("log on disk made to follow the snapshot");
            out.truncate(LogIndex(1));
            out.compact(upto);
        }
        self.arm_election(now);
        if self.voters().len() == 1 && self.may_lead() && !self.is_pledged(now) {
            // Nobody else could be leading.
            self.on_election_timeout(now, out);
        }
    }
}

/// The ballot that binds this machine. What replaces a damaged disk may lack the newest one; nothing was ever promised under its
/// identity.
fn ballot(config: &Config, found: (Term, Option<NodeId>), last: Term) -> (Term, Option<NodeId>) {
    if config.rejoin && last > found.0 {
        return (last, None);
    }
    assert!(last <= found.0, "no entry is durable before its term (RT-05)");
    found
}

/// What stands in the cells of the disk.
#[derive(Default)]
struct Cells {
    ballot: (Term, Option<NodeId>),
    founders: Option<Bytes>,
    anchor: Option<SnapshotMeta>,
}

impl Cells {
    fn of(records: Vec<Record>) -> Self {
        let mut cells = Self::default();
        for record in records {
            match record {
                Record::Ballot { term, vote } => cells.ballot = (term, vote),
                Record::Founding(bytes) => cells.founders = Some(bytes),
                Record::Anchor(meta) => cells.anchor = Some(meta),
                Record::Entry(_) => unreachable!("an entry is no cell"),
            }
        }
        cells
    }
}

/// The log on disk above a snapshot. Where it does not contain the snapshot's last entry, the snapshot stands alone, and the
/// disk has to be told that the log continues there; the index is returned. Entries may be missing up to the snapshot's
/// because a leader applies what a quorum holds before its own disk does.
fn rebuild(base: Position, time: LogTime, found: &Outline<Record>) -> (MemoryLog, Option<LogIndex>) {
    let Some(terms) = found.terms() else {
        return (MemoryLog::new(base, time), Some(base.index).filter(|&index| index > LogIndex::ZERO));
    };
    let first = terms.base().index.next();
    assert!(first <= base.index.next(), "the log on disk begins where the snapshot ends, or before");
    if first <= base.index && !terms.holds(base) {
        return (MemoryLog::new(base, time), Some(base.index));
    }
    let mut terms = terms.clone();
    if first > base.index {
        terms.follow(base);
    } else if first > LogIndex(1) {
        // What stands before the first entry is unknown; it becomes the base itself.
        terms.compact(first);
    }
    (MemoryLog::on_disk(terms, found.last_time()), None)
}

/// The configurations that the log on disk carries above a snapshot.
fn carried(records: &[Record], base: LogIndex) -> Vec<(LogIndex, Membership)> {
    let entries = records.iter().filter_map(|record| match record {
        Record::Entry(entry) if entry.index > base => Some(entry),
        Record::Entry(_) | Record::Ballot { .. } | Record::Founding(_) | Record::Anchor(_) => None,
    });
    entries
        .flat_map(|entry| {
            configurations_of(std::slice::from_ref(entry))
                .expect("the configuration on this disk is one this program wrote")
        })
        .collect()
}
