//! A group of Raft machines as a model: its states, what may happen in each, and what follows.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use stateright::{Model, Property};
use synod_protocols::log::Position;
use synod_protocols::raft::{Alarm, AppendResult, Command, Epoch, Message, Role, Voice};
use synod_protocols::{Input, LogIndex, NodeId, SessionId, Term, Timestamp, Token};

use crate::bounds::Bounds;
use crate::naming::Renaming;
use crate::network::{Envelope, Network, is_past};
use crate::node::Node;
use crate::properties;

/// The model: what may happen, and under which names states count as one.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) bounds: Bounds,
    renamings: Arc<Vec<Renaming>>,
}

/// A state of the whole group.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) nodes: Vec<Arc<Member>>,
    pub(crate) network: Network,
    /// What has ever been committed, and in which term that was known first.
    pub(crate) committed: Vec<(Position, Term)>,
    /// Who led each term.
    pub(crate) leaders: BTreeMap<Term, NodeId>,
    /// A rule that was broken on the way to this state, by who does not show it any more.
    pub(crate) breach: Option<&'static str>,
    proposals: u8,
    crashes: u8,
    /// What a machine said when it broke down.
    pub(crate) panic: Option<String>,
    digest: u64,
}

/// A node and its digest under each renaming.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) node: Node,
    digests: Vec<u64>,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A message arrives; late means that its receiver has heard no leader for long.
    Deliver { envelope: Arc<Envelope>, late: bool },
    /// A node hears of another's term, in an answer to something long past.
    Hear { to: NodeId, from: NodeId },
    /// Nobody was heard: a node campaigns.
    Campaign(NodeId),
    /// A leader speaks.
    Beat(NodeId),
    /// A leader sees that it has heard no quorum for long.
    Despair(NodeId),
    /// A leader takes a proposal.
    Propose(NodeId),
    /// A node's oldest write becomes durable.
    Sync(NodeId),
    /// A node loses what is not durable, and starts again.
    Crash(NodeId),
}

impl Group {
    pub(crate) fn new(bounds: Bounds) -> Self {
        // Only where all may do the same, exchanging names changes nothing.
        let fixed = if bounds.stand.is_empty() && bounds.opening.is_none() { 0 } else { bounds.nodes };
        let renamings = Arc::new(Renaming::all(bounds.nodes, fixed));
        Self { bounds, renamings }
    }

    fn member(&self, node: Node) -> Arc<Member> {
        let digests = self.renamings.iter().map(|renaming| node.digest(renaming)).collect();
        Arc::new(Member { node, digests })
    }

    fn actions_of(&self, state: &State, member: &Member, actions: &mut Vec<Action>) {
        let node = &member.node;
        let status = node.raft.status();
        let id = status.id;
        let leads = status.role == Role::Leader;
        let stands = self.bounds.stands(id) && status.term < Term(self.bounds.terms);
        if node.raft.awaits(Alarm::ELECTION) && stands {
            actions.push(Action::Campaign(id));
        }
        let terms = self.bounds.ids().map(|from| (from, state.node(from).disk.term()));
        let mut higher: Vec<_> = terms.filter(|(_, term)| *term > status.term).collect();
        higher.dedup_by_key(|(_, term)| *term);
        actions.extend(higher.into_iter().map(|(from, _)| Action::Hear { to: id, from }));
        if leads && self.bounds.heartbeats {
            actions.push(Action::Beat(id));
        }
        if leads && self.bounds.manners && !self.bounds.is_focused() {
            actions.push(Action::Despair(id));
        }
        if leads && state.proposals < self.bounds.proposals {
            actions.push(Action::Propose(id));
        }
        if node.writes() {
            actions.push(Action::Sync(id));
        }
        if state.crashes < self.bounds.crashes {
            actions.push(Action::Crash(id));
        }
    }

    /// Lets something happen to one node.
    fn act(&self, state: &mut State, action: &Action) -> (NodeId, Node, Vec<(NodeId, Message)>) {
        let bounds = &self.bounds;
        let id = match action {
            Action::Deliver { envelope, .. } => envelope.to,
            Action::Hear { to: id, .. }
            | Action::Campaign(id)
            | Action::Beat(id)
            | Action::Despair(id)
            | Action::Propose(id)
            | Action::Sync(id)
            | Action::Crash(id) => *id,
        };
        let mut node = state.node(id).clone();
        let mut ring = |alarm: Alarm, now: Timestamp| {
            node.raft.bring_forward(alarm, now);
            node.handle(bounds, now, Input::Timeout)
        };
        let said = match action {
            Action::Deliver { envelope, late } => {
                let now = if *late { Timestamp::ZERO.after(bounds.late()) } else { Timestamp::ZERO };
                let (from, session) = (envelope.from, SessionId(1));
                let message = envelope.message.clone();
                node.handle(bounds, now, Input::Message { from, session, message })
            }
            Action::Hear { from, .. } => {
                let term = state.node(*from).disk.term();
                let message = Message::AppendReply {
                    term,
                    epoch: Epoch::default(),
                    result: AppendResult::Stale,
                    voice: Voice::default(),
                };
                node.handle(
                    bounds,
                    Timestamp::ZERO,
                    Input::Message { from: *from, session: SessionId(1), message },
                )
            }
            Action::Campaign(_) => ring(Alarm::ELECTION, Timestamp::ZERO),
            Action::Beat(_) => ring(Alarm::HEARTBEAT, Timestamp::ZERO.after(bounds.beat())),
            Action::Despair(_) => ring(Alarm::HEARTBEAT, Timestamp::ZERO.after(bounds.late())),
            Action::Propose(_) => {
                state.proposals += 1;
                let payload = Bytes::copy_from_slice(&[state.proposals]);
                let command = Command::Propose { session: None, payload };
                let token = Token(u64::from(state.proposals));
                node.handle(bounds, Timestamp::ZERO, Input::Command { token, command })
            }
            Action::Sync(_) => node.sync(bounds),
            Action::Crash(_) => {
                state.crashes += 1;
                node = node.crash(bounds);
                Vec::new()
            }
        };
        (id, node, said)
    }

    /// Lets a node be elected by another one, and ask it how far it goes.
    fn opened(&self, mut state: State, leader: NodeId, follower: NodeId) -> State {
        let deeds = [Action::Campaign(leader), Action::Beat(leader)];
        for deed in deeds {
            state = self.next_state(&state, deed.clone()).expect("the opening goes as it is meant");
            for _ in 0..4 {
                for envelope in state.network.said().to_vec() {
                    let between =
                        [envelope.from, envelope.to].iter().all(|id| [leader, follower].contains(id));
                    if between && !matches!(envelope.message, Message::Append { .. }) {
                        let deliver = Action::Deliver { envelope, late: deed == Action::Campaign(leader) };
                        state = self.next_state(&state, deliver).unwrap_or(state);
                    }
                }
            }
        }
        assert_eq!(state.node(leader).raft.role(), Role::Leader);
        state
    }

    fn seal(&self, state: &mut State) {
        let under = |number: usize, renaming: &Renaming| {
            let mut parts = vec![0; state.nodes.len()];
            for (id, member) in self.bounds.ids().zip(&state.nodes) {
                parts[renaming.of(id).0 as usize - 1] = member.digests[number];
            }
            let mut hasher = DefaultHasher::new();
            (parts, state.network.digest(number), &state.committed).hash(&mut hasher);
            let led: Vec<_> = state.leaders.iter().map(|(term, id)| (term, renaming.of(*id))).collect();
            (led, state.breach, state.proposals, state.crashes, &state.panic).hash(&mut hasher);
            hasher.finish()
        };
        let digests = self.renamings.iter().enumerate().map(|(number, renaming)| under(number, renaming));
        state.digest = digests.min().expect("a renaming at least");
    }
}

impl State {
    /// A node by name.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize - 1].node
    }

    /// Every node.
    pub(crate) fn each(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().map(|member| &member.node)
    }

    /// Notes what a node has done in one step, and what it must not.
    fn note(&mut self, node: &Node, said: &[(NodeId, Message)]) {
        let status = node.raft.status();
        if status.role == Role::Leader && *self.leaders.entry(status.term).or_insert(status.id) != status.id {
            self.breach = Some(properties::SECOND_LEADER);
        }
        if !properties::keeps_ballot(&self.node(status.id).disk, &node.disk) {
            self.breach = Some(properties::VOTE_CHANGED);
        }
        if said.iter().any(|(to, message)| !properties::is_covered(&node.disk, *to, message)) {
            self.breach = Some(properties::VOTE_TOLD_EARLY);
        }
        while (self.committed.len() as u64) < status.commit.0 {
            let index = LogIndex(self.committed.len() as u64 + 1);
            let term = node.raft.term_at(index).expect("what is committed is in the log");
            self.committed.push((Position { term, index }, status.term));
        }
    }
}

impl Model for Group {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let start = |id| self.member(Node::start(&self.bounds, id, self.bounds.disk(id)));
        let mut state = State {
            nodes: self.bounds.ids().map(start).collect(),
            network: Network::silent(self.renamings.len()),
            committed: Vec::new(),
            leaders: BTreeMap::new(),
            breach: None,
            proposals: 0,
            crashes: 0,
            panic: None,
            digest: 0,
        };
        self.seal(&mut state);
        if let Some((leader, follower)) = self.bounds.opening {
            state = self.opened(state, NodeId(leader), NodeId(follower));
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.panic.is_some() {
            return;
        }
        for member in &state.nodes {
            self.actions_of(state, member, actions);
        }
        for envelope in state.network.said() {
            // A vote may be withheld, which is as if it had not arrived; a pre-vote is answered either way.
            let patient = match envelope.message {
                Message::Vote { .. } => false,
                Message::PreVote { .. } | Message::Pull { .. } => !self.bounds.is_focused(),
                _ => true,
            };
            let late = matches!(
                envelope.message,
                Message::Vote { .. } | Message::PreVote { .. } | Message::Pull { .. }
            );
            if patient {
                actions.push(Action::Deliver { envelope: Arc::clone(envelope), late: false });
            }
            if late {
                actions.push(Action::Deliver { envelope: Arc::clone(envelope), late: true });
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let (id, node, said) = match catch_unwind(AssertUnwindSafe(|| self.act(&mut state, &action))) {
            Ok(outcome) => outcome,
            Err(_) => {
                state.panic = Some(format!("{action:?}"));
                self.seal(&mut state);
                return Some(state);
            }
        };
        state.note(&node, &said);
        let term = node.disk.term();
        let outdated = term > state.node(id).disk.term();
        let member = self.member(node);
        let slot = &mut state.nodes[id.0 as usize - 1];
        let mut changed = slot.digests != member.digests;
        *slot = member;
        for (to, message) in said {
            if !is_past(&message, state.node(to).disk.term()) {
                changed |= state.network.say(id, to, message, &self.renamings);
            }
        }
        if outdated {
            state.network.outdate(id, term);
        }
        if !changed {
            return None;
        }
        self.seal(&mut state);
        Some(state)
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.each().all(|node| node.raft.status().term <= Term(self.bounds.terms))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, into: &mut H) {
        self.digest.hash(into);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for node in self.each() {
            writeln!(f, "  {node:?}")?;
        }
        write!(f, "  committed {:?}", self.committed)
    }
}
