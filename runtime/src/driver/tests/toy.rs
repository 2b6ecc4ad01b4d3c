//! A protocol whose every command asks its driver for one thing.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use synod_protocols::log::{Body, Entry, SnapshotMeta};
use synod_protocols::{
    Input, LogIndex, LogTime, NodeId, Outbox, Place, Placed, Protocol, Recovered, RequestId, Term, Timestamp,
    Token,
};

#[derive(Clone, Debug)]
pub(crate) struct Toy {
    pub(crate) entries: Vec<u64>,
    base: u64,
    cell: u64,
    seed: u64,
    flush: Vec<(Token, u64)>,
    alarm: Option<(Timestamp, Token)>,
    loading: Option<Token>,
    applying: Vec<Token>,
    snapshotting: Option<Token>,
    failed: bool,
    peers: Vec<NodeId>,
    heard: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct ToyConfig {
    pub(crate) peers: Vec<NodeId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Message {
    /// Before the sender's disk is done.
    Early(u64),
    /// After it is done.
    Late(u64),
    /// As large as one likes.
    Blob(Bytes),
    /// Goes with a snapshot.
    Snapshot,
}

#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// Append a number with the next flush, which is asked for at once: early and late messages, a late reply.
    Append(u64),
    /// Reply after a while.
    Alarm(Duration),
    /// Reply with what the log holds.
    Load,
    /// Apply all entries.
    Apply,
    /// Send a blob of so many bytes to the first peer.
    Blob(usize),
    /// Write a cell of so many bytes.
    Bulky(usize),
    /// Write a snapshot.
    Take,
    /// Send the snapshot to the first peer.
    Send,
    /// What was heard, the entries, the cell, the seed.
    Tell,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Done,
    Failed,
    Loaded(Vec<u64>),
    Results(Vec<(LogIndex, Bytes)>),
    Told { heard: Vec<String>, entries: Vec<u64>, cell: u64, seed: u64 },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Record {
    Entry(u64, u64),
    Cell(u64),
    Bulk(Bytes),
}

impl Placed for Record {
    fn place(&self) -> Place {
        match self {
            Self::Entry(index, _) => Place::Entry(LogIndex(*index)),
            Self::Cell(_) => Place::Cell(7),
            Self::Bulk(_) => Place::Cell(8),
        }
    }
}

impl Protocol for Toy {
    const NAME: &'static str = "toy";
    type Config = ToyConfig;
    type Message = Message;
    type Command = Command;
    type Reply = Reply;
    type Event = u64;
    type Record = Record;

    fn restore(config: ToyConfig, seed: u64, recovered: Recovered<Record>) -> Self {
        let mut toy = Self {
            entries: Vec::new(),
            base: recovered.snapshot.map_or(0, |meta| meta.index.0),
            cell: 0,
            seed,
            flush: Vec::new(),
            alarm: None,
            loading: None,
            applying: Vec::new(),
            snapshotting: None,
            failed: false,
            peers: config.peers,
            heard: Vec::new(),
        };
        for record in recovered.cells.into_iter().chain(recovered.log.into_whole()) {
            match record {
                Record::Entry(_, number) => toy.entries.push(number),
                Record::Cell(cell) => toy.cell = cell,
                Record::Bulk(_) => {}
            }
        }
        toy
    }

    fn handle(&mut self, now: Timestamp, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Command { token, command } => self.command(now, token, command, out),
            Input::Timeout => self.timeout(now, out),
            Input::Message { from, message, .. } => self.heard.push(format!("{from} {message:?}")),
            Input::Persisted(id) => self.heard.push(format!("persisted {id}")),
            Input::WriteFailed => self.failed = true,
            Input::Space { available } => self.heard.push(format!("space {available}")),
            Input::Reachable { peer, .. } => self.heard.push(format!("reachable {peer}")),
            Input::Unreachable { peer } => self.heard.push(format!("unreachable {peer}")),
            Input::Suspected { peer } => self.heard.push(format!("suspected {peer}")),
            Input::Loaded { records, .. } => {
                let number = |record| match record {
                    Record::Entry(_, number) => number,
                    Record::Cell(_) | Record::Bulk(_) => panic!("a cell was loaded"),
                };
                let token = self.loading.take().expect("asked for");
                out.reply_early(token, Reply::Loaded(records.into_iter().map(number).collect()));
            }
            Input::Applied { upto, .. } if self.applying.is_empty() => {
                self.heard.push(format!("applied {upto}"));
                self.entries.push(3000);
                out.persist(vec![Record::Entry(self.base + self.entries.len() as u64, 3000)]);
            }
            Input::Applied { upto, results, .. } => {
                assert_eq!(upto.0, self.base + self.entries.len() as u64);
                out.reply_early(self.applying.remove(0), Reply::Results(results));
            }
            Input::SnapshotTaken { .. } => self.snapshotted(Reply::Done, out),
            Input::SnapshotFailed => self.snapshotted(Reply::Failed, out),
            Input::SnapshotSent { delivered, .. } => {
                self.snapshotted(if delivered { Reply::Done } else { Reply::Failed }, out);
            }
            Input::SnapshotReceived { from, message, meta } => {
                self.heard.push(format!("received {message:?}"));
                self.base = meta.index.0;
                self.entries.clear();
                out.install_snapshot(from, meta);
                // All of it comes after the snapshot, in this order, and what applying brings about comes last.
                for number in [1000, 2000] {
                    self.entries.push(number);
                    out.persist(vec![Record::Entry(self.base + self.entries.len() as u64, number)]);
                    if number == 1000 {
                        out.apply(vec![entry(self.base + 1, number)].into());
                    }
                }
                out.emit(1000);
            }
            Input::SnapshotInstalled(meta) => self.heard.push(format!("installed {}", meta.index)),
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        if !self.flush.is_empty() {
            return Some(Timestamp::ZERO);
        }
        self.alarm.map(|(deadline, _)| deadline)
    }
}

impl Toy {
    fn command(&mut self, now: Timestamp, token: Token, command: Command, out: &mut Outbox<Self>) {
        match command {
            _ if self.failed => out.reply_early(token, Reply::Failed),
            Command::Append(number) => self.flush.push((token, number)),
            Command::Alarm(delay) => self.alarm = Some((now.after(delay), token)),
            Command::Load => {
                self.loading = Some(token);
                out.load(RequestId(1), LogIndex(self.base + 1), LogIndex(u64::MAX), usize::MAX);
            }
            Command::Apply => {
                self.applying.push(token);
                let numbered = self.entries.iter().zip(self.base + 1..);
                out.apply(numbered.map(|(&number, index)| entry(index, number)).collect());
            }
            Command::Blob(size) => {
                out.send(self.peers[0], Message::Blob(Bytes::from(vec![7; size])));
                out.reply_early(token, Reply::Done);
            }
            Command::Bulky(size) => {
                out.persist(vec![Record::Bulk(Bytes::from(vec![7; size]))]);
                out.reply(token, Reply::Done);
            }
            Command::Take => {
                self.snapshotting = Some(token);
                out.take_snapshot(SnapshotMeta {
                    index: LogIndex(self.base + self.entries.len() as u64),
                    term: Term(1),
                    time: LogTime(0),
                    configuration: Bytes::new(),
                });
            }
            Command::Send => {
                self.snapshotting = Some(token);
                out.send_snapshot(self.peers[0], Message::Snapshot);
            }
            Command::Tell => {
                let (heard, entries) = (std::mem::take(&mut self.heard), self.entries.clone());
                out.reply_early(token, Reply::Told { heard, entries, cell: self.cell, seed: self.seed });
            }
        }
    }

    /// One record for each number, one early and one late message, one reply each.
    fn timeout(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        if let Some((_, token)) = self.alarm.take_if(|(deadline, _)| *deadline <= now) {
            out.reply_early(token, Reply::Done);
        }
        for (token, number) in std::mem::take(&mut self.flush) {
            out.reached("flushed");
            for &peer in &self.peers {
                out.send_early(peer, Message::Early(number));
            }
            self.entries.push(number);
            self.cell = number;
            let index = self.base + self.entries.len() as u64;
            out.persist(vec![Record::Entry(index, number), Record::Cell(number)]);
            for &peer in &self.peers {
                out.send(peer, Message::Late(number));
            }
            out.reply(token, Reply::Done);
            out.emit(number);
        }
    }

    fn snapshotted(&mut self, reply: Reply, out: &mut Outbox<Self>) {
        if let Some(token) = self.snapshotting.take() {
            out.reply_early(token, reply);
        }
    }
}

fn entry(index: u64, number: u64) -> Entry {
    let payload = Bytes::copy_from_slice(&number.to_le_bytes());
    let body = Body::Command { session: None, payload };
    Entry { term: Term(1), index: LogIndex(index), time: LogTime(0), body }
}
