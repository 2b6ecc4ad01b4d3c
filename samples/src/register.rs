//! An application's own protocol: a register that only rises, kept by a majority of its members.
//!
//! No leader and no log: every node serves, as long as a majority lives. After Attiya, Bar-Noy and Dolev ("Sharing Memory
//! Robustly in Message-Passing Systems", JACM 1995), with the value for its own timestamp.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use synod::prelude::*;

/// One node's part. It decides, and touches nothing: same state, same inputs, same effects.
#[derive(Clone, Debug)]
pub struct Register {
    me: NodeId,
    members: Majority,
    /// The highest value given to this node's disk.
    highest: u64,
    rounds: BTreeMap<u64, Round>,
    next_round: u64,
    /// When to offer again what was not answered, because messages may be lost.
    retry: Option<Timestamp>,
}

/// A command under way: it ends when a majority keeps its value and nobody who answered a higher one.
#[derive(Clone, Debug)]
struct Round {
    token: Token,
    value: u64,
    kept: BTreeMap<NodeId, u64>,
}

/// What a user asks of its node. The reply is a value that a majority keeps; `None`, and nothing changed, when too much waits.
#[derive(Clone, Debug)]
pub enum Command {
    /// Let the register be no lower than this.
    Raise(u64),
    /// Tell the value.
    Read,
}

/// What members say to each other, by round and value. Nobody trusts the numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// From whoever has a command, to all: keep this value unless yours is higher, and answer `Kept`.
    Offer(u64, u64),
    /// The answer: the highest value on the sender's disk.
    Kept(u64, u64),
}

/// What is on disk: one cell, of which the log remembers the last record only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Highest(u64);

impl Placed for Highest {
    fn place(&self) -> Place {
        Place::Cell(0)
    }
}

const RETRY: Duration = Duration::from_millis(100);
/// Whatever a machine collects has a bound.
const ROUNDS_MAX: usize = 1024;

impl Protocol for Register {
    const NAME: &'static str = "sample.register";
    /// This node, and all members.
    type Config = (NodeId, BTreeSet<NodeId>);
    type Message = Message;
    type Command = Command;
    type Reply = Option<u64>;
    type Event = ();
    type Record = Highest;

    fn restore((me, all): (NodeId, BTreeSet<NodeId>), seed: u64, recovered: Recovered<Highest>) -> Self {
        Self {
            me,
            members: Majority::new(all),
            highest: recovered.cells.last().map_or(0, |&Highest(value)| value),
            rounds: BTreeMap::new(),
            // Another one at each start: a late answer to an earlier start is not taken for an answer to this one.
            next_round: seed,
            retry: None,
        }
    }

    fn handle(&mut self, now: Timestamp, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Command { token, .. } if self.rounds.len() == ROUNDS_MAX => out.reply_early(token, None),
            Input::Command { token, command: Command::Raise(value) } => self.begin(now, token, value, out),
            Input::Command { token, command: Command::Read } => self.begin(now, token, 0, out),
            Input::Message { from, .. } if !self.members.voters().contains(&from) => {}
            Input::Message { from, message: Message::Offer(round, value), .. } => {
                self.keep(value, out);
                // Does not leave before what was written is on disk: sends wait for all earlier writes.
                out.send(from, Message::Kept(round, self.highest));
            }
            Input::Message { from, message: Message::Kept(round, highest), .. } => {
                self.kept(round, from, highest, out);
            }
            Input::Timeout => self.offer_again(now, out),
            // Links, logs and snapshots are for other protocols. A failed write is final, and the driver lets nothing out after it.
            _ => {}
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.retry
    }
}

impl Register {
    fn begin(&mut self, now: Timestamp, token: Token, value: u64, out: &mut Outbox<Self>) {
        let round = self.next_round;
        self.next_round = round.wrapping_add(1);
        let value = value.max(self.highest);
        self.rounds.insert(round, Round { token, value, kept: BTreeMap::new() });
        self.retry.get_or_insert(now.after(RETRY));
        self.offer(round, out);
    }

    /// Offers a round's value to everybody who is not known to keep it.
    fn offer(&mut self, round: u64, out: &mut Outbox<Self>) {
        let Some(it) = self.rounds.get_mut(&round) else { return };
        let value = it.value;
        for &member in self.members.voters().iter().filter(|&&member| member != self.me) {
            if it.kept.get(&member).is_none_or(|&kept| kept < value) {
                // A promise of nothing, so it need not wait for this node's disk.
                out.send_early(member, Message::Offer(round, value));
            }
        }
        self.keep(value, out);
        // This node's own disk counts at once: the reply waits for it, as every promise does.
        self.kept(round, self.me, self.highest, out);
    }

    fn keep(&mut self, value: u64, out: &mut Outbox<Self>) {
        if value > self.highest {
            self.highest = value;
            out.persist(vec![Highest(value)]);
        }
    }

    fn kept(&mut self, round: u64, from: NodeId, highest: u64, out: &mut Outbox<Self>) {
        // A round that is not there has ended, or is an earlier start's.
        let Some(it) = self.rounds.get_mut(&round) else { return };
        it.kept.insert(from, highest);
        if highest > it.value {
            // An earlier command may have been told this value, and this one must not be told less.
            it.value = highest;
            return self.offer(round, out);
        }
        if self.members.reached(|member| it.kept.get(&member).copied()) >= Some(it.value) {
            out.reply(it.token, Some(it.value));
            self.rounds.remove(&round);
        }
    }

    fn offer_again(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        self.retry = (!self.rounds.is_empty()).then(|| now.after(RETRY));
        for round in self.rounds.keys().copied().collect::<Vec<_>>() {
            self.offer(round, out);
        }
    }
}
