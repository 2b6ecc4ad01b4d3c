//! How committed entries reach the application, and answers their callers.
//!
//! Not what makes an entry committed, nor the recognition of retries, which belongs to whoever applies.

use bytes::Bytes;

use crate::log::{Entries, Entry};
use crate::protocol::Outbox;
use crate::raft::command::{Refusal, Reply};
use crate::raft::record::Record;
use crate::raft::state::{Load, Raft, Timer};
use crate::types::{LogIndex, LogTime, RequestId, Timestamp};

/// How much the application is given at once. Not what a message may carry: however small that is, a backlog that is read back
/// from the disk must shrink faster than new entries arrive.
const BATCH: (usize, usize) = (1_024, 1 << 20);

impl Raft {
    /// Gives the application the next committed entries, unless it is busy with earlier ones.
    pub(super) fn apply_committed(&mut self, out: &mut Outbox<Self>) {
        if self.config.witness {
            return self.forget_committed(out);
        }
        if self.commit <= self.applying.applied {
            return;
        }
        let busy = self.applying.issued > self.applying.applied
            || self.snapshots.installing.is_some()
            || self.timers.deadline(Timer::Reload).is_some();
        if busy {
            return;
        }
        let from = self.applying.applied.next();
        let (count, bytes) = BATCH;
        match self.log.range(from, self.commit, count, bytes) {
            Some(entries) => self.issue(entries, out),
            None if self.loads.values().any(|load| matches!(load, Load::Apply(_))) => {}
            None => {
                out.reached("committed entries read back");
                let request = self.new_request();
                self.loads.insert(request, Load::Apply(from));
                out.load(request, from, self.commit, bytes);
            }
        }
    }

    /// The application has taken entries: answer their callers, then reads, then see what comes next.
    pub(super) fn on_applied(
        &mut self,
        now: Timestamp,
        upto: LogIndex,
        results: Vec<(LogIndex, Bytes)>,
        wake: Option<LogTime>,
        out: &mut Outbox<Self>,
    ) {
        if upto <= self.applying.applied || upto > self.applying.issued {
            return;
        }
        self.applying.applied = upto;
        for (index, result) in results {
            let Some(waiting) = self.waiting.take(index) else { continue };
            self.waiting_bytes -= waiting.bytes;
            // Early: the entry is durable on a quorum, which is what the answer promises; this disk may still be at work.
            out.reply_early(waiting.token, Reply::Applied { index, time: waiting.time, result });
        }
        self.orphan_applied(upto, out);
        if self.wake.is_some() || wake.is_some() {
            self.wake = wake;
            self.arm_tick(now);
        }
        self.answer_reads(now, out);
        self.consider_snapshot(out);
        self.apply_committed(out);
    }

    /// Entries came back from the log: for the application, or for a peer.
    pub(super) fn on_loaded(
        &mut self,
        now: Timestamp,
        request: RequestId,
        records: Vec<Record>,
        out: &mut Outbox<Self>,
    ) {
        let Some(load) = self.loads.remove(&request) else { return };
        let from = match load {
            Load::Peer(_, from) | Load::Apply(from) | Load::Puller(_, from) => from,
        };
        let entries = self.verified(from, records);
        match load {
            Load::Peer(peer, from) => self.feed_loaded(now, peer, from, entries, out),
            Load::Puller(to, from) => self.give(to, from, entries.into(), out),
            Load::Apply(from) if from != self.applying.applied.next() => self.apply_committed(out),
            Load::Apply(_) if entries.is_empty() => {
                out.reached("committed entries could not be read");
                self.timers.set(Timer::Reload, now.after(self.config.heartbeat_interval));
            }
            Load::Apply(_) => {
                let upto = self.commit;
                self.issue(entries.into_iter().take_while(|entry| entry.index <= upto).collect(), out);
            }
        }
    }

    /// Forgets what is being read back for peers.
    pub(super) fn drop_peer_loads(&mut self) {
        self.loads.retain(|_, load| matches!(load, Load::Apply(_)));
    }

    fn issue(&mut self, entries: Entries, out: &mut Outbox<Self>) {
        let Some(last) = entries.last() else { return };
        self.applying.issued = last.index;
        self.applying.issued_time = last.time;
        self.applying.bytes += entries.bytes() as u64;
        out.apply(entries);
    }

    /// The longest run of entries from `from` that this log vouches for: what the disk says is checked against what is known.
    fn verified(&self, from: LogIndex, records: Vec<Record>) -> Vec<Entry> {
        let mut next = from;
        let mut entries = Vec::with_capacity(records.len());
        for record in records {
            let Record::Entry(entry) = record else { break };
            if entry.index != next || !self.log.holds(entry.position()) {
                break;
            }
            next = next.next();
            entries.push(entry);
        }
        entries
    }

    /// Answers callers whose entry was applied without a result, which an application that keeps its contract never does.
    fn orphan_applied(&mut self, upto: LogIndex, out: &mut Outbox<Self>) {
        while let Some(waiting) = self.waiting.take_through(upto) {
            self.waiting_bytes -= waiting.bytes;
            Self::refuse(waiting.token, Refusal::LeadershipLost, out);
        }
    }
}
