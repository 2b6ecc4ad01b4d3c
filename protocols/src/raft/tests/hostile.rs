//! A peer with a certificate and without scruples: whatever it says, nobody panics, terms do not run out and memory stays bounded. If it
//! neither votes nor claims to lead, the others agree and get on; what a liar who leads can do is not Raft's to prevent.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;

use crate::log::{Body, Entries, Entry, Position, SnapshotMeta};
use crate::prng::Prng;
use crate::raft::tests::harness::{Cluster, n};
use crate::raft::{AppendResult, Command, Config, Epoch, Event, Message, Rejection, Reply, Role, Voice};
use crate::types::{LogIndex, LogTime, StoreId, Term};

/// Whoever is in no group.
const OUTSIDER: u64 = 9;
/// The highest term that one message can lead to, of a node that has heard of any.
const BELIEVED: u64 = (1 << 40) + (1 << 20);
/// What terms stay below, however many messages a test has room for.
const LEFT: u64 = 1 << 41;

/// Draws messages around what there is.
struct Liar {
    prng: Prng,
    term: u64,
    last: u64,
    voters: u64,
}

impl Liar {
    fn watching(seed: u64, voters: u64) -> Self {
        Self { prng: Prng::new(seed), term: 1, last: 1, voters }
    }

    /// Looks at what there is.
    fn look(&mut self, cluster: &Cluster) {
        let status = |id: u64| cluster.raft(id).status();
        self.term = (1..=self.voters).map(|id| status(id).term.0).max().expect("there are voters");
        self.last = (1..=self.voters).map(|id| status(id).last_index.0).max().expect("there are voters");
    }

    /// A number near `around`, or at an edge.
    fn number(&mut self, around: u64) -> u64 {
        match self.prng.below(8) {
            0 => u64::MAX,
            1 => u64::MAX - self.prng.below(3),
            2 => 1 << self.prng.below(64),
            3 => 0,
            4 => self.prng.next_u64(),
            _ => around.saturating_add(self.prng.below(4)).saturating_sub(self.prng.below(3)),
        }
    }

    fn term(&mut self) -> Term {
        Term(self.number(self.term))
    }

    fn index(&mut self) -> LogIndex {
        LogIndex(self.number(self.last))
    }

    fn position(&mut self) -> Position {
        Position { term: self.term(), index: self.index() }
    }

    fn voice(&mut self) -> Voice {
        Voice {
            store: StoreId(self.number(1)),
            witness: self.prng.chance(0.2),
            renewed: self.prng.chance(0.2),
        }
    }

    fn promise(&mut self) -> Duration {
        Duration::from_nanos(self.number(1_000_000))
    }

    fn peer(&mut self) -> crate::types::NodeId {
        n(*self.prng.pick(&[1, 2, 3, OUTSIDER]).expect("some"))
    }

    fn entries(&mut self, after: LogIndex) -> Entries {
        let count = if self.prng.chance(0.02) { 5_000 } else { self.prng.below(4) };
        let term = self.term();
        let entry = |at: u64| {
            let body = match at % 3 {
                0 => Body::Noop,
                1 => Body::Command { session: None, payload: Bytes::from_static(b"forged") },
                _ => Body::Configuration(Bytes::from_static(b"no configuration")),
            };
            Entry { term, index: LogIndex(after.0.wrapping_add(1 + at)), time: LogTime(at), body }
        };
        (0..count).map(entry).collect()
    }

    /// What neither leads nor says what to commit.
    fn chatter(&mut self) -> Message {
        let (term, epoch, voice) = (self.term(), Epoch(self.number(1)), self.voice());
        match self.prng.below(16) {
            0 => Message::PreVote { proposed: term, last: self.position(), voice },
            1 => Message::PreVoteReply { term, proposed: self.term(), granted: self.prng.chance(0.5), voice },
            2 => Message::Vote { term, last: self.position(), transfer: self.prng.chance(0.5), voice },
            3 => Message::VoteReply { term, granted: true, voice },
            4 => {
                let result = match self.prng.below(4) {
                    0 => AppendResult::Matched(self.index()),
                    1 => AppendResult::Conflict { rejected: self.index(), hint: self.position() },
                    2 => AppendResult::NoSpace(self.index()),
                    _ => AppendResult::Stale,
                };
                Message::AppendReply { term, epoch, result, voice }
            }
            5 => {
                let (round, promise) = (self.number(1), self.promise());
                Message::HeartbeatReply { term, epoch, round, voice, rejoin: self.prng.chance(0.5), promise }
            }
            6 => Message::SleepReply { term, epoch, lull: self.number(1), asleep: true, voice, rejoin: true },
            7 => Message::Lend { term, epoch, to: self.peer(), attempt: self.number(1), least: self.index() },
            8 => {
                let delivered = self.prng.chance(0.5).then_some(self.index());
                Message::Lent { term, epoch, to: self.peer(), attempt: self.number(1), delivered }
            }
            9 => Message::Ahead { term, proposed: self.term(), last: self.position() },
            10 => Message::Pull { term, after: self.position() },
            11 => {
                let (previous, last) = (self.position(), self.position());
                Message::PullReply { term, previous, last, entries: self.entries(previous.index) }
            }
            12 => Message::Canvass { term, voice },
            13 => Message::CanvassReply { term, priority: self.number(1) as u32, voice },
            14 => Message::Claim { term, priority: self.number(1) as u32 },
            _ => Message::TimeoutNow { term, last: self.position() },
        }
    }

    /// What a leader says.
    fn command(&mut self) -> Message {
        let (term, epoch) = (self.term(), Epoch(self.number(1)));
        match self.prng.below(5) {
            0 | 1 => {
                let (previous, commit) = (self.position(), self.index());
                Message::Append { term, epoch, previous, commit, entries: self.entries(previous.index) }
            }
            2 => {
                let (commit, probe) = (self.index(), self.prng.chance(0.5).then_some(self.position()));
                Message::Heartbeat { term, epoch, round: self.number(1), commit, probe }
            }
            3 => Message::Sleep { term, epoch, lull: self.number(1), last: self.position() },
            _ => {
                let configuration = Bytes::from_static(b"no configuration");
                let meta = SnapshotMeta {
                    index: self.index(),
                    term: self.term(),
                    time: LogTime(self.number(1)),
                    configuration,
                };
                Message::Anchor { term, epoch, meta }
            }
        }
    }
}

fn rejected(cluster: &mut Cluster, id: u64) -> usize {
    let events = std::mem::take(&mut cluster.node(id).events);
    events.iter().filter(|event| matches!(event, Event::Rejected { .. })).count()
}

/// The group gets on: it elects, commits and agrees on what was acknowledged.
fn gets_on(cluster: &mut Cluster, seed: u64, acknowledged: &[String]) {
    cluster.run(Duration::from_secs(2));
    let leader = cluster.run_until_led();
    let last = cluster.propose(leader, "last");
    cluster.run(Duration::from_secs(2));
    assert!(matches!(cluster.reply(leader, last), Some(Reply::Applied { .. })), "seed {seed}: no progress");
    let state = cluster.agreed();
    for payload in acknowledged {
        assert!(state.contains(payload), "seed {seed}: {payload} was acknowledged and is gone");
    }
}

/// Chatter of an outsider, and whatever members have said, said by him, while the group works. Gives how much was said and rejected.
fn chatter(seed: u64) -> (usize, usize) {
    let voters = 3 + 2 * (seed % 2);
    let mut liar = Liar::watching(seed, voters);
    let mut cluster =
        Cluster::with(voters, |config| Config { snapshot_entries: 25, keep_entries: 5, ..config });
    cluster.cut = (1..=voters).map(|id| (n(id), n(OUTSIDER))).collect();
    let mut cluster = cluster.elect(1);
    let (mut said, mut refused, mut asked) = (0, 0, Vec::new());
    for round in 0..300 {
        liar.look(&cluster);
        assert!(liar.term < LEFT, "seed {seed}: terms run out: {}", liar.term);
        for _ in 0..liar.prng.below(4) {
            let to = 1 + liar.prng.below(voters);
            let overheard = std::mem::take(&mut cluster.seen);
            let stale =
                overheard.into_iter().map(|(_, _, message)| message).find(|message| message.term().is_some());
            let message = match stale.filter(|_| liar.prng.chance(0.3)) {
                Some(message) => message,
                None => liar.chatter(),
            };
            cluster.deliver(OUTSIDER, to, message);
            assert!(cluster.wire.len() < 1_000, "seed {seed}: one message begets {}", cluster.wire.len());
            said += 1;
            refused += rejected(&mut cluster, to);
        }
        for id in (1..=voters).filter(|&id| cluster.raft(id).role() == Role::Leader).collect::<Vec<_>>() {
            let payload = format!("{round}");
            asked.push((id, cluster.propose(id, &payload), payload));
        }
        cluster.run(Duration::from_millis(liar.prng.below(30)));
    }
    let acknowledged: Vec<String> = asked
        .iter()
        .filter(|(id, token, _)| matches!(cluster.reply(*id, *token), Some(Reply::Applied { .. })))
        .map(|(_, _, payload)| payload.clone())
        .collect();
    gets_on(&mut cluster, seed, &acknowledged);
    (said, refused)
}

#[test]
fn an_outsider_who_neither_votes_nor_leads_takes_nothing_from_the_group() {
    let (mut said, mut refused) = (0, 0);
    for seed in 0..300 {
        let (more, rejected) = chatter(seed);
        said += more;
        refused += rejected;
    }
    println!("{said} messages of an outsider, {refused} of them rejected as events");
    assert!(said > 100_000 && refused > 10_000, "{said} said, {refused} rejected");
}

/// Anything at all, leadership included, said by the two other voters and an outsider to one machine.
#[test]
fn a_machine_among_liars_neither_panics_nor_runs_out_of_terms_or_memory() {
    let (mut said, mut refused, mut reasons) = (0, 0, BTreeSet::new());
    for seed in 0..600 {
        let mut liar = Liar::watching(seed, 1);
        let mut cluster = Cluster::new(3);
        cluster.forged = true;
        for id in [2, 3] {
            cluster.node(id).down = true;
        }
        cluster.cut = [2, 3, OUTSIDER].map(|id| (n(1), n(id))).into();
        let (term, epoch, commit) = (Term(1), Epoch(1), LogIndex::ZERO);
        cluster.deliver(2, 1, Message::Heartbeat { term, epoch, round: 0, commit, probe: None });
        let mut given = 0;
        for _ in 0..300 {
            liar.look(&cluster);
            let message = if liar.prng.chance(0.5) { liar.command() } else { liar.chatter() };
            if let Message::Append { entries, .. } | Message::PullReply { entries, .. } = &message {
                given += entries.len() as u64;
            }
            let from = liar.peer().0.max(2);
            cluster.deliver(from, 1, message);
            if liar.prng.chance(0.1) {
                cluster.command(1, Command::Campaign);
            }
            cluster.run(Duration::from_millis(liar.prng.below(5)));
            cluster.seen.clear();
            said += 1;
            for event in std::mem::take(&mut cluster.node(1).events) {
                if let Event::Rejected { reason, .. } = event {
                    refused += 1;
                    reasons.insert(reason.to_string());
                }
            }
        }
        let status = cluster.raft(1).status();
        // Each message may raise the term by a stride, beyond what everybody believes.
        assert!(status.term.0 < LEFT, "seed {seed}: {status:?}");
        // What it holds it was given, but for the entries with which its own leaderships began.
        assert!(status.last_index.0 <= given + 300, "seed {seed}: {status:?}, {given} entries were given");
    }
    println!("{said} messages of liars, {refused} rejected: {reasons:?}");
    assert!(reasons.contains(&Rejection::TermBeyondReach.to_string()) && reasons.len() >= 4, "{reasons:?}");
}

#[test]
fn the_last_term_of_all_is_believed_of_nobody_and_the_leader_stays() {
    let mut cluster = Cluster::led_by(3, 1);
    let term = cluster.raft(1).status().term;
    let mut liar = Liar::watching(1, 3);
    let mut kinds = BTreeSet::new();
    while kinds.len() < 18 {
        liar.term = u64::MAX;
        let message = if liar.prng.chance(0.3) { liar.command() } else { liar.chatter() };
        if message.term().is_none_or(|term| term.0 <= BELIEVED) {
            continue;
        }
        kinds.insert(format!("{message:?}").split([' ', '{']).next().map(str::to_owned));
        for (from, to) in [(3, 1), (3, 2), (2, 3), (OUTSIDER, 1)] {
            cluster.deliver(from, to, message.clone());
        }
    }
    cluster.settle();
    assert_eq!((cluster.raft(1).role(), cluster.raft(1).status().term), (Role::Leader, term));
    let token = cluster.propose(1, "goes on");
    cluster.run(Duration::from_millis(100));
    assert!(matches!(cluster.reply(1, token), Some(Reply::Applied { .. })));
}

#[test]
fn whoever_raises_terms_for_long_leaves_enough_of_them() {
    let mut cluster = Cluster::led_by(3, 1);
    let last = Position { term: Term(u64::MAX), index: LogIndex(u64::MAX) };
    let persisted = |cluster: &mut Cluster| (1..=3).map(|id| cluster.node(id).persists).sum::<usize>();
    let before = persisted(&mut cluster);
    for _ in 0..1_000 {
        let highest = (1..=3).map(|id| cluster.raft(id).status().term.0).max().expect("three of them");
        let term = Term(highest.max(1 << 40) + (1 << 20));
        for to in 1..=3 {
            cluster.deliver(
                1 + to % 3,
                to,
                Message::Vote { term, last, transfer: true, voice: Voice::default() },
            );
        }
        cluster.wire.clear();
        cluster.seen.clear();
    }
    assert!(persisted(&mut cluster) - before >= 1_000, "each rise waits for a disk");
    let term = cluster.raft(1).status().term.0;
    assert!((BELIEVED..LEFT).contains(&term), "{term}");
    gets_on(&mut cluster, 0, &[]);
}
