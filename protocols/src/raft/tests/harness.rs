//! Machines, their disks and the wire between them, stepped by hand in virtual time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use crate::log::{Body, Entry, SnapshotMeta};
use crate::protocol::{Effect, Input, Outbox, Protocol, Recovered};
use crate::raft::{Command, Config, Event, Message, Raft, Record, Refusal, Reply, Role};
use crate::types::{LogIndex, NodeId, SessionId, Term, Timestamp, Token, WriteId};

pub(super) fn n(id: u64) -> NodeId {
    NodeId(id)
}

pub(super) fn config(id: u64, voters: u64) -> Config {
    Config::sim(n(id), (1..=voters).map(n).collect())
}

/// A disk that keeps writes apart until they are synced.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) cells: BTreeMap<crate::protocol::Place, Record>,
    pub(super) entries: BTreeMap<LogIndex, Entry>,
    pub(super) snapshot: Option<(SnapshotMeta, Vec<Bytes>)>,
}

/// One node: machine, disk, application.
pub(super) struct Node {
    pub(super) raft: Raft,
    pub(super) out: Outbox<Raft>,
    pub(super) disk: Disk,
    unsynced: VecDeque<Effect<Raft>>,
    held: VecDeque<Effect<Raft>>,
    durable: WriteId,
    /// While set, writes stay unsynced.
    pub(super) stalled: bool,
    pub(super) down: bool,
    /// While set, the application does not report what it applied.
    pub(super) app_busy: bool,
    /// While set, snapshots are not finished.
    pub(super) snapshots_slow: bool,
    /// How many bytes a snapshot is said to have.
    pub(super) snapshot_bytes: u64,
    reports: VecDeque<Input<Raft>>,
    pub(super) state: Vec<Bytes>,
    pub(super) received: BTreeMap<NodeId, (SnapshotMeta, Vec<Bytes>)>,
    /// Of whose silence the machine wants to hear.
    pub(super) watched: BTreeSet<NodeId>,
    pub(super) events: Vec<Event>,
    pub(super) replies: BTreeMap<Token, Reply>,
    pub(super) asked: BTreeSet<Token>,
    pub(super) persists: usize,
}

pub(super) struct Cluster {
    pub(super) now: Timestamp,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    pub(super) wire: VecDeque<(NodeId, NodeId, Message)>,
    /// Directed links that swallow everything.
    pub(super) cut: BTreeSet<(NodeId, NodeId)>,
    /// Every message put on the wire since it was last cleared.
    pub(super) seen: Vec<(NodeId, NodeId, Message)>,
    /// Rare paths taken.
    pub(super) reached: BTreeSet<&'static str>,
    configs: BTreeMap<NodeId, Config>,
    leaders: BTreeMap<Term, NodeId>,
    chosen: BTreeMap<LogIndex, (Term, Bytes)>,
    next_token: u64,
    /// Set by tests that forge acknowledgements, which then say more than disks hold.
    pub(super) forged: bool,
}

impl Node {
    fn new(config: Config, seed: u64, disk: Disk) -> Self {
        let recovered = Recovered {
            cells: disk.cells.values().cloned().collect(),
            snapshot: disk.snapshot.as_ref().map(|(meta, _)| meta.clone()),
            log: disk.entries.values().cloned().map(Record::Entry).collect(),
        };
        let state = disk.snapshot.as_ref().map(|(_, state)| state.clone()).unwrap_or_default();
        Self {
            raft: Raft::restore(config.into(), seed, recovered),
            out: Outbox::default(),
            disk,
            unsynced: VecDeque::new(),
            held: VecDeque::new(),
            durable: WriteId::ZERO,
            stalled: false,
            down: false,
            app_busy: false,
            snapshots_slow: false,
            snapshot_bytes: 0,
            reports: VecDeque::new(),
            state,
            received: BTreeMap::new(),
            watched: BTreeSet::new(),
            events: Vec::new(),
            replies: BTreeMap::new(),
            asked: BTreeSet::new(),
            persists: 0,
        }
    }

    /// Loses the news of a snapshot that was being written.
    pub(super) fn drop_snapshot_report(&mut self) {
        self.reports.retain(|report| !matches!(report, Input::SnapshotTaken { .. }));
    }

    fn reply(&mut self, token: Token, reply: Reply) {
        assert!(self.asked.contains(&token), "{token:?} was never asked");
        let before = self.replies.insert(token, reply);
        assert!(before.is_none(), "{token:?} answered twice: {before:?} and {:?}", self.replies[&token]);
    }

    fn write(&mut self, effect: Effect<Raft>) -> Option<Input<Raft>> {
        match effect {
            Effect::Persist { records, .. } => {
                for record in records {
                    match record {
                        Record::Entry(entry) => {
                            self.disk.entries.split_off(&entry.index);
                            self.disk.entries.insert(entry.index, entry);
                        }
                        Record::Ballot { .. } | Record::Founding(_) | Record::Anchor(_) => {
                            self.disk.cells.insert(crate::protocol::Placed::place(&record), record);
                        }
                    }
                }
                None
            }
            Effect::Truncate { from, .. } => {
                self.disk.entries.split_off(&from);
                None
            }
            Effect::Compact { upto, .. } => {
                self.disk.entries = self.disk.entries.split_off(&upto.next());
                None
            }
            Effect::InstallSnapshot { from, meta, .. } => {
                let (_, state) = self.received.remove(&from).expect("a snapshot to install was received");
                let holds = self.disk.entries.get(&meta.index).is_some_and(|e| e.term == meta.term);
                self.disk.entries = self.disk.entries.split_off(&meta.index.next());
                if !holds {
                    self.disk.entries.clear();
                }
                self.state = state.clone();
                self.disk.snapshot = Some((meta.clone(), state));
                Some(Input::SnapshotInstalled(meta))
            }
            _ => unreachable!("not a write"),
        }
    }
}

impl Cluster {
    pub(super) fn new(voters: u64) -> Self {
        Self::with(voters, |config| config)
    }

    pub(super) fn with(voters: u64, tune: impl Fn(Config) -> Config) -> Self {
        let configs: BTreeMap<_, _> = (1..=voters).map(|id| (n(id), tune(config(id, voters)))).collect();
        let nodes = configs.iter().map(|(&id, c)| (id, Node::new(c.clone(), 7, Disk::default()))).collect();
        Self {
            now: Timestamp(1_000_000),
            nodes,
            wire: VecDeque::new(),
            cut: BTreeSet::new(),
            seen: Vec::new(),
            reached: BTreeSet::new(),
            configs,
            leaders: BTreeMap::new(),
            chosen: BTreeMap::new(),
            next_token: 0,
            forged: false,
        }
    }

    /// A cluster in which the given node leads and everyone knows it.
    pub(super) fn led_by(voters: u64, leader: u64) -> Self {
        Self::new(voters).elect(leader)
    }

    pub(super) fn elect(mut self, leader: u64) -> Self {
        self.command(leader, Command::Campaign);
        self.settle();
        assert_eq!(self.raft(leader).role(), Role::Leader);
        self.run(Duration::from_millis(130));
        self
    }

    pub(super) fn node(&mut self, id: u64) -> &mut Node {
        self.nodes.get_mut(&n(id)).expect("a node of the cluster")
    }

    pub(super) fn raft(&self, id: u64) -> &Raft {
        &self.nodes[&n(id)].raft
    }

    pub(super) fn input(&mut self, id: u64, input: Input<Raft>) {
        let now = self.now;
        let node = self.node(id);
        node.raft.handle(now, input, &mut node.out);
        self.carry_out(n(id));
    }

    /// Gives a command and returns its token; nothing is delivered yet.
    pub(super) fn command(&mut self, id: u64, command: Command) -> Token {
        self.next_token += 1;
        let token = Token(self.next_token);
        self.node(id).asked.insert(token);
        self.input(id, Input::Command { token, command });
        token
    }

    pub(super) fn propose(&mut self, id: u64, payload: &str) -> Token {
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        self.command(id, Command::Propose { session: None, payload })
    }

    pub(super) fn deliver(&mut self, from: u64, to: u64, message: Message) {
        self.input(to, Input::Message { from: n(from), session: SessionId(1), message });
    }

    pub(super) fn reply(&self, id: u64, token: Token) -> Option<&Reply> {
        self.nodes[&n(id)].replies.get(&token)
    }

    pub(super) fn refusal(&self, id: u64, token: Token) -> Option<Refusal> {
        match self.reply(id, token)? {
            Reply::Refused(refusal) => Some(*refusal),
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(super) fn cut_both(&mut self, a: u64, b: u64) {
        self.cut.insert((n(a), n(b)));
        self.cut.insert((n(b), n(a)));
    }

    pub(super) fn isolate(&mut self, id: u64) {
        for other in 1..=self.nodes.len() as u64 {
            if other != id {
                self.cut_both(id, other);
            }
        }
    }

    /// Loses power: what was not synced is gone. Back at once, with the disk as it is.
    pub(super) fn restart(&mut self, id: u64) {
        let config = self.configs[&n(id)].clone();
        let disk = self.node(id).disk.clone();
        self.wire.retain(|(from, to, _)| *from != n(id) && *to != n(id));
        let seed = self.now.0;
        self.nodes.insert(n(id), Node::new(config, seed, disk));
    }

    /// Lets the disk catch up.
    pub(super) fn sync(&mut self, id: u64) {
        self.node(id).stalled = false;
        self.carry_out(n(id));
    }

    /// Delivers everything, and everything that follows from it, without time passing.
    pub(super) fn settle(&mut self) {
        for _ in 0..100_000 {
            if !self.flush() && !self.deliver_next() {
                return;
            }
        }
        panic!("messages beget messages without end");
    }

    /// Lets each machine do what is due at this moment. Says whether one was.
    pub(super) fn flush(&mut self) -> bool {
        let now = self.now;
        let due: Vec<u64> = self
            .nodes
            .iter()
            .filter(|(_, node)| !node.down && node.raft.next_deadline().is_some_and(|at| at <= now))
            .map(|(id, _)| id.0)
            .collect();
        for &id in &due {
            self.input(id, Input::Timeout);
        }
        !due.is_empty()
    }

    pub(super) fn deliver_next(&mut self) -> bool {
        let Some((from, to, message)) = self.wire.pop_front() else { return false };
        if !self.cut.contains(&(from, to)) && !self.nodes[&to].down {
            self.deliver(from.0, to.0, message);
        }
        true
    }

    /// Lets time pass, a millisecond at a time, delivering everything at once.
    pub(super) fn run(&mut self, time: Duration) {
        for _ in 0..time.as_millis() {
            self.settle();
            self.now = self.now.after(Duration::from_millis(1));
        }
        self.settle();
    }

    /// Runs until someone leads and has committed an entry of its term.
    pub(super) fn run_until_led(&mut self) -> u64 {
        for _ in 0..10_000 {
            self.run(Duration::from_millis(1));
            for node in self.nodes.values().filter(|node| !node.down) {
                let status = node.raft.status();
                let newest = self.nodes.values().all(|other| other.raft.status().term <= status.term);
                let settled = node.raft.term_at(status.commit) == Some(status.term);
                if status.role == Role::Leader && settled && newest {
                    return status.id.0;
                }
            }
        }
        panic!("no leader in ten seconds");
    }

    fn carry_out(&mut self, id: NodeId) {
        loop {
            let Some(node) = self.nodes.get_mut(&id) else { return };
            let effects = node.out.take();
            self.reached.extend(node.out.take_reached());
            let idle = effects.is_empty();
            for effect in effects {
                self.carry_out_one(id, effect);
            }
            let progressed = self.sync_and_release(id);
            self.check(id);
            if idle && !progressed {
                return;
            }
        }
    }

    fn carry_out_one(&mut self, id: NodeId, effect: Effect<Raft>) {
        let node = self.nodes.get_mut(&id).expect("a node of the cluster");
        match effect {
            Effect::Send { after, .. } | Effect::Reply { after, .. } | Effect::Emit { after, .. }
                if after > node.durable =>
            {
                node.held.push_back(effect);
            }
            Effect::Send { to, message, .. } => {
                self.seen.push((id, to, message.clone()));
                self.wire.push_back((id, to, message));
            }
            Effect::Reply { token, reply, .. } => node.reply(token, reply),
            Effect::Emit { event, .. } => node.events.push(event),
            Effect::Persist { .. }
            | Effect::Truncate { .. }
            | Effect::Compact { .. }
            | Effect::InstallSnapshot { .. } => {
                node.persists += usize::from(matches!(effect, Effect::Persist { .. }));
                node.unsynced.push_back(effect);
            }
            Effect::Load { request, from, to, .. } => {
                let range = node.disk.entries.range(from..=to);
                let records = range.map(|(_, entry)| Record::Entry(entry.clone())).collect();
                node.reports.push_back(Input::Loaded { request, records });
            }
            Effect::Apply { entries } => self.apply(id, &entries),
            Effect::TakeSnapshot { meta } => {
                let bytes = node.snapshot_bytes;
                node.disk.snapshot = Some((meta.clone(), node.state.clone()));
                node.reports.push_back(Input::SnapshotTaken { meta, bytes });
            }
            Effect::SendSnapshot { to, message } => self.ship(id, to, message),
            Effect::DropSnapshot { from } => {
                node.received.remove(&from);
            }
            Effect::Watch { peers } => node.watched = peers,
        }
    }

    fn apply(&mut self, id: NodeId, entries: &[Entry]) {
        let node = self.nodes.get_mut(&id).expect("a node of the cluster");
        let mut results = Vec::new();
        for entry in entries {
            let payload = match &entry.body {
                Body::Command { payload, .. } => {
                    results.push((entry.index, payload.clone()));
                    payload.clone()
                }
                Body::Noop | Body::Configuration(_) | Body::Withheld => Bytes::new(),
            };
            assert_eq!(node.state.len() as u64 + 1, entry.index.0, "{id:?} applies in order, once");
            node.state.push(payload.clone());
            let first = self.chosen.entry(entry.index).or_insert((entry.term, payload.clone()));
            assert_eq!(*first, (entry.term, payload), "state machine safety at {:?}", entry.index);
        }
        let upto = entries.last().expect("entries to apply").index;
        node.reports.push_back(Input::Applied { upto, results, wake: None });
    }

    fn ship(&mut self, id: NodeId, to: NodeId, message: Message) {
        let (meta, state) = self.nodes[&id].disk.snapshot.clone().expect("a snapshot to send exists");
        let delivered = !self.cut.contains(&(id, to)) && !self.nodes[&to].down;
        let index = meta.index;
        if delivered {
            self.node(to.0).received.insert(id, (meta.clone(), state));
            self.node(to.0).reports.push_back(Input::SnapshotReceived {
                from: id,
                message: Box::new(message),
                meta,
            });
        }
        self.node(id.0).reports.push_back(Input::SnapshotSent { to, index, delivered });
        if delivered {
            self.carry_out(to);
        }
    }

    /// Syncs what the disk takes, releases what waited for it, and feeds one report. Says whether anything happened.
    fn sync_and_release(&mut self, id: NodeId) -> bool {
        let now = self.now;
        let node = self.nodes.get_mut(&id).expect("a node of the cluster");
        let mut happened = false;
        while let Some(effect) = node.unsynced.pop_front_if(|_| !node.stalled) {
            let (Effect::Persist { id: write, .. }
            | Effect::Truncate { id: write, .. }
            | Effect::Compact { id: write, .. }
            | Effect::InstallSnapshot { id: write, .. }) = &effect
            else {
                unreachable!("only writes are unsynced")
            };
            node.durable = *write;
            let report = node.write(effect);
            node.reports.extend(report);
            happened = true;
        }
        if happened {
            let durable = node.durable;
            node.raft.handle(now, Input::Persisted(durable), &mut node.out);
            for effect in std::mem::take(&mut node.held) {
                self.carry_out_one(id, effect);
            }
        }
        let node = self.nodes.get_mut(&id).expect("a node of the cluster");
        let ready = |report: &Input<Raft>| match report {
            Input::Applied { .. } => !node.app_busy,
            Input::SnapshotTaken { .. } => !node.snapshots_slow,
            _ => true,
        };
        if let Some(report) = node.reports.iter().position(ready).and_then(|at| node.reports.remove(at)) {
            node.raft.handle(now, report, &mut node.out);
            happened = true;
        }
        happened
    }

    /// What must hold after every step.
    fn check(&mut self, id: NodeId) {
        let raft = &self.nodes[&id].raft;
        let status = raft.status();
        if status.role == Role::Leader {
            let leader = *self.leaders.entry(status.term).or_insert(id);
            assert_eq!(leader, id, "election safety in {:?}", status.term);
        }
        assert!(status.applied <= status.commit && status.commit <= status.last_index, "{status:?}");
        for (peer, matched) in status.match_index.iter().filter(|_| !self.forged) {
            let held = &self.nodes[peer];
            let durable = held.disk.entries.last_key_value().map_or(LogIndex::ZERO, |(&index, _)| index);
            let snapshot = held.disk.snapshot.as_ref().map_or(LogIndex::ZERO, |(meta, _)| meta.index);
            assert!(*matched <= durable.max(snapshot), "{peer:?} is said to hold {matched:?}");
        }
    }

    /// Asserts that all nodes that are up have applied the same, and returns it.
    pub(super) fn agreed(&self) -> Vec<String> {
        let mut states = self.nodes.values().filter(|node| !node.down).map(|node| &node.state);
        let first = states.next().expect("a node is up");
        assert!(states.all(|state| state == first), "the nodes differ");
        let text = |payload: &Bytes| String::from_utf8_lossy(payload).into_owned();
        first.iter().filter(|payload| !payload.is_empty()).map(text).collect()
    }
}

impl Cluster {
    /// The settings, but for the names.
    pub(super) fn configs(&self) -> &Config {
        &self.configs[&n(1)]
    }

    /// The name of the leader's replication to a peer.
    pub(super) fn epoch(&self, leader: u64, peer: u64) -> crate::raft::Epoch {
        match &self.raft(leader).standing {
            crate::raft::state::Standing::Leader(lead) => {
                lead.progress.get(&n(peer)).expect("it is a peer").epoch
            }
            _ => panic!("{leader} does not lead"),
        }
    }
}

/// The founding configuration of voters, encoded as on disk.
pub(super) fn founding<const N: usize>(voters: [NodeId; N]) -> crate::raft::Membership {
    crate::raft::Membership::founding(&voters.into(), &BTreeSet::new())
}
