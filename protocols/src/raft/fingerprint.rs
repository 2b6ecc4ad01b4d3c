//! What of a machine is state, and what is only time, chance and naming: for whoever explores its states one by one.
//!
//! Not an identity of machines at work: two with one fingerprint do the same on the same inputs, as long as whoever drives them
//! decides itself when a timer runs out and whether a moment is early or late. Nothing in the machine depends on this file.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use crate::log::{Body, Entry, MemoryLog};
use crate::raft::ambition::Ambition;
use crate::raft::leadership::{Leadership, Reads};
use crate::raft::membership::Membership;
use crate::raft::message::Epoch;
use crate::raft::rounds::Rounds;
use crate::raft::state::{Applying, Load, Loan, Raft, Snapshots, Standing, Timer};
use crate::raft::votes::Votes;
use crate::types::{NodeId, Timestamp, WriteId};

/// A timer that is set, whatever its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alarm(Timer);

impl Alarm {
    /// No leader was heard.
    pub const ELECTION: Self = Self(Timer::Election);
    /// Time to speak as a leader, or to give up.
    pub const HEARTBEAT: Self = Self(Timer::Heartbeat);
    /// Time to write and send what has gathered.
    pub const FLUSH: Self = Self(Timer::Flush);
    /// A transfer of leadership has taken too long.
    pub const HANDOVER: Self = Self(Timer::Handover);
}

/// How names count while machines are compared: nodes that only differ in name are interchangeable.
#[derive(Clone, Copy)]
pub struct Naming<'a> {
    /// What a node is called instead.
    pub node: &'a dyn Fn(NodeId) -> NodeId,
    /// What counts of a replication's name. As long as members do not change, term and peer say all of it.
    pub epoch: &'a dyn Fn(Epoch) -> u64,
}

impl Raft {
    /// Takes every instant out of the machine: what happened happened at [`Timestamp::ZERO`], and no timer that is set ever
    /// runs out by itself. Chance begins anew.
    pub fn forget_time(&mut self) {
        self.prng = crate::prng::Prng::new(0);
        self.clock.1 = Timestamp::ZERO;
        self.leader_contact = self.leader_contact.map(|_| Timestamp::ZERO);
        self.pledged = self.pledged.map(|_| Timestamp::ZERO);
        self.hibernation.forget_time();
        let set: Vec<Timer> = self.timers.names().collect();
        for timer in set {
            self.timers.set(timer, Timestamp::NEVER);
        }
        let Standing::Leader(lead) = &mut self.standing else { return };
        lead.lease.forget_time();
        for (_, progress) in &mut lead.progress {
            progress.forget_time();
        }
    }

    /// Whether a timer is set.
    #[must_use]
    pub fn awaits(&self, alarm: Alarm) -> bool {
        self.timers.deadline(alarm.0).is_some()
    }

    /// Puts the deadline of a timer that is set to `now`, so that the next [`crate::Input::Timeout`] takes it.
    pub fn bring_forward(&mut self, alarm: Alarm, now: Timestamp) {
        if self.awaits(alarm) {
            self.timers.set(alarm.0, now);
        }
    }

    /// Feeds the machine's state to a hasher: all that decides what it does, without instants and chance, and with names that
    /// it made itself (of writes and requests) only as far as they differ from each other. Settings are left out.
    pub fn fingerprint(&self, naming: Naming<'_>, into: &mut impl Hasher) {
        let name = |id: NodeId| (naming.node)(id).0;
        // Spelt out, so that whoever adds a field has to say what it is.
        let Self {
            config: _,
            configurations,
            founding,
            prng: _,
            timers,
            repair,
            started,
            dead,
            space,
            reverted,
            term,
            vote,
            ballot_write,
            standing,
            leader,
            leader_contact,
            pledged,
            rounds,
            reserve,
            announced: _,
            log,
            unwritten,
            writes,
            durable_write,
            durable,
            clock: (clock, _),
            commit,
            applying,
            snapshots,
            waiting,
            waiting_bytes,
            handover,
            ambition,
            wake,
            loads,
            last_request: _,
            hibernation,
        } = self;
        let since = |write: WriteId| write.0.saturating_sub(durable_write.0);
        for (index, membership) in configurations.all() {
            index.hash(into);
            hash_membership(membership, naming, into);
        }
        (founding, repair, started, dead, space, reverted, reserve).hash(into);
        (term, vote.map(name), since(*ballot_write)).hash(into);
        (leader.map(name), leader_contact.is_some(), pledged.is_some(), clock, commit, wake).hash(into);
        timers.names().for_each(|timer| (timer as u8).hash(into));
        hash_rounds(rounds.as_deref().unwrap_or(&Rounds::default()), &name, into);
        hash_log(log, into);
        (unwritten, durable, waiting_bytes, writes.len(), waiting.iter().len()).hash(into);
        writes.iter().for_each(|(write, last)| (since(*write), last).hash(into));
        hash_applying(applying, into);
        hash_snapshots(snapshots, naming, into);
        waiting.iter().for_each(|(index, it)| (index, it.token, it.time, it.bytes).hash(into));
        handover.map(|it| (it.token, name(it.to))).hash(into);
        hash_ambition(ambition.as_deref(), &self.voters(), &name, into);
        let whose = |load: &Load| match load {
            Load::Peer(peer, from) => (name(*peer), *from),
            Load::Puller(peer, from) => (u64::MAX - name(*peer), *from),
            Load::Apply(from) => (u64::MAX, *from),
        };
        sorted(loads.values().map(whose), into);
        hibernation.rest_without_time().hash(into);
        sorted(hibernation.sleepers().map(name), into);
        hash_standing(standing, &self.voters(), naming, into);
    }
}

fn hash_ambition(
    ambition: Option<&Ambition>,
    voters: &BTreeSet<NodeId>,
    name: &impl Fn(NodeId) -> u64,
    into: &mut impl Hasher,
) {
    let Some(Ambition { about: (term, leader), heard, outranks, claims }) = ambition else { return };
    (term, leader.map(name), outranks, claims).hash(into);
    heard.is_some().hash(into);
    let said = |voter: &NodeId| heard.as_ref().is_some_and(|votes| votes.of(*voter).is_some());
    sorted(voters.iter().copied().filter(said).map(name), into);
}

fn sorted<T: Ord + Hash>(items: impl Iterator<Item = T>, into: &mut impl Hasher) {
    let mut items: Vec<T> = items.collect();
    items.sort_unstable();
    items.hash(into);
}

fn hash_log(log: &MemoryLog, into: &mut impl Hasher) {
    (log.base(), log.last(), log.last_time()).hash(into);
    let mut index = log.base().index;
    while index < log.last().index {
        index = index.next();
        match log.entry(index) {
            Some(entry) => hash_entry(entry, into),
            // Read back when it is needed; its term says which one it is.
            None => log.term_at(index).hash(into),
        }
    }
}

fn hash_entry(entry: &Entry, into: &mut impl Hasher) {
    let Entry { term, index, time, body } = entry;
    (term, index, time).hash(into);
    match body {
        Body::Noop => 0u8.hash(into),
        Body::Command { session, payload } => (1u8, session, payload).hash(into),
        Body::Configuration(bytes) => (2u8, bytes).hash(into),
        Body::Withheld => 3u8.hash(into),
    }
}

fn hash_rounds(rounds: &Rounds, name: &impl Fn(NodeId) -> u64, into: &mut impl Hasher) {
    let Rounds { count, proposed, free, ahead, entered, asked } = rounds;
    (count, proposed, entered, asked).hash(into);
    sorted(free.iter().map(|&id| name(id)), into);
    sorted(ahead.iter().map(|(&id, last)| (name(id), *last)), into);
}

fn hash_applying(applying: &Applying, into: &mut impl Hasher) {
    let Applying { applied, issued, issued_time, bytes } = applying;
    (applied, issued, issued_time, bytes).hash(into);
}

fn hash_snapshots(snapshots: &Snapshots, naming: Naming<'_>, into: &mut impl Hasher) {
    let Snapshots { index, bytes, counted_from, counted_since, taking, wanted, askers, installing, loans } =
        snapshots;
    (index, bytes, counted_from, counted_since, taking, wanted, askers, installing).hash(into);
    hash_loans(loans, naming, into);
}

fn hash_loans(loans: &BTreeMap<NodeId, Loan>, naming: Naming<'_>, into: &mut impl Hasher) {
    let name = naming.node;
    let known = loans.iter().map(|(&to, loan)| {
        let Loan { leader, epoch, attempt, ended } = *loan;
        (name(to), name(leader), (naming.epoch)(epoch), attempt, ended)
    });
    sorted(known, into);
}

fn hash_standing(
    standing: &Standing,
    voters: &std::collections::BTreeSet<NodeId>,
    naming: Naming<'_>,
    into: &mut impl Hasher,
) {
    let mut hash_votes = |part: u8, votes: &Votes| {
        part.hash(into);
        let said = |&voter: &NodeId| votes.of(voter).map(|granted| ((naming.node)(voter), granted));
        sorted(voters.iter().filter_map(said), into);
    };
    match standing {
        Standing::Follower => 0u8.hash(into),
        Standing::PreCandidate(votes) => hash_votes(1, votes),
        Standing::Candidate(votes) => hash_votes(2, votes),
        Standing::Leader(lead) => hash_leadership(lead, naming, into),
    }
}

fn hash_membership(membership: &Membership, naming: Naming<'_>, into: &mut impl Hasher) {
    for set in [Some(membership.members()), membership.outgoing(), membership.goal()] {
        set.is_some().hash(into);
        let members = set.into_iter().flatten();
        sorted(members.map(|(&node, member)| ((naming.node)(node), member.duty, member.store)), into);
    }
}

fn hash_leadership(lead: &Leadership, naming: Naming<'_>, into: &mut impl Hasher) {
    (3u8, lead.first).hash(into);
    // A peer's progress names no node, and its text shows all of it.
    sorted(
        lead.progress.iter().map(|(&peer, progress)| {
            let epoch = (naming.epoch)(progress.epoch);
            let mut nameless = progress.clone();
            nameless.epoch = Epoch::default();
            let lender = nameless.take_lender().map(naming.node);
            ((naming.node)(peer), epoch, lender, format!("{nameless:?}"))
        }),
        into,
    );
    (lead.changer, lead.has_witness, lead.lender.map(naming.node)).hash(into);
    let strangers = lead.strangers.iter();
    sorted(strangers.map(|(&node, it)| ((naming.node)(node), it.store, it.rejoin)), into);
    let (revoked, promised) = lead.lease.holders();
    revoked.hash(into);
    sorted(promised.map(naming.node), into);
    let Reads { fresh, insistent, leased, rounds, confirmed, count, last_round } = &lead.reads;
    (fresh, insistent, leased, confirmed, count, last_round).hash(into);
    rounds.iter().for_each(|round| (round.number, round.index, &round.tokens).hash(into));
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;
    use std::time::Duration;

    use super::*;
    use crate::protocol::{Input, Outbox, Protocol, Recovered};
    use crate::raft::{Command, Config};
    use crate::types::Token;

    fn machine(id: u64, seed: u64, now: u64) -> Raft {
        let config = Config::sim(NodeId(id), (1..=3).map(NodeId).collect());
        let mut raft = Raft::restore(config.into(), seed, Recovered::default());
        raft.handle(Timestamp(now), Input::Timeout, &mut Outbox::default());
        raft
    }

    fn print(raft: &Raft, swapped: bool) -> u64 {
        let node = |NodeId(id): NodeId| if swapped { NodeId(4 - id) } else { NodeId(id) };
        let mut hasher = DefaultHasher::new();
        raft.fingerprint(Naming { node: &node, epoch: &|epoch| epoch.0 }, &mut hasher);
        hasher.finish()
    }

    #[test]
    fn time_and_chance_are_no_state_and_a_role_is() {
        let (mut one, mut other) = (machine(1, 7, 0), machine(1, 8, 99_000_000));
        assert_eq!(print(&one, false), print(&other, false));
        one.forget_time();
        other.forget_time();
        assert_eq!(format!("{one:?}"), format!("{other:?}"), "no instant is left anywhere");
        let mut out = Outbox::default();
        one.handle(Timestamp(5), Input::Command { token: Token(1), command: Command::Campaign }, &mut out);
        assert_ne!(print(&one, false), print(&other, false));
    }

    #[test]
    fn machines_that_differ_in_name_only_are_alike_under_names_exchanged() {
        let (mut one, mut three) = (machine(1, 7, 0), machine(3, 7, 0));
        for raft in [&mut one, &mut three] {
            let campaign = Input::Command { token: Token(1), command: Command::Campaign };
            raft.handle(Timestamp(5), campaign, &mut Outbox::default());
        }
        assert_ne!(print(&one, false), print(&three, false));
        assert_eq!(print(&one, false), print(&three, true));
    }

    #[test]
    fn a_timer_runs_out_when_it_is_brought_forward_and_not_before() {
        let mut raft = machine(1, 7, 0);
        raft.forget_time();
        assert!(raft.awaits(Alarm::ELECTION) && !raft.awaits(Alarm::HEARTBEAT));
        let later = Timestamp::ZERO.after(Duration::from_secs(60));
        raft.handle(later, Input::Timeout, &mut Outbox::default());
        assert_eq!(raft.role(), crate::raft::Role::Follower);
        raft.bring_forward(Alarm::ELECTION, Timestamp::ZERO);
        raft.handle(Timestamp::ZERO, Input::Timeout, &mut Outbox::default());
        assert_eq!(raft.role(), crate::raft::Role::PreCandidate);
    }
}
