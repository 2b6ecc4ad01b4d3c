//! What a leader knows of the promises that were made to it, and until when they last by its own clock.
//!
//! Not what they are good for, which is in `lease.rs`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::raft::config::Config;
use crate::raft::message::Epoch;
use crate::types::{NodeId, Timestamp};

const MILLION: u128 = 1_000_000;

/// What a leader knows of promises to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Lease {
    /// Whether it was given up for the rest of the term.
    pub(super) revoked: bool,
    /// When rounds of heartbeats were first sent, oldest first.
    sent: VecDeque<(u64, Timestamp)>,
    /// Until when each peer keeps its promise, by this leader's clock, and as which replication's end it gave it.
    promises: BTreeMap<NodeId, (Epoch, Timestamp)>,
}

/// What an answer to a heartbeat says beside who gives it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beat {
    /// The round that it answers.
    pub(super) round: u64,
    /// For how long the sender helps nobody else to be elected.
    pub(super) promise: Duration,
}

impl Lease {
    /// Gives the lease up for the rest of the term.
    pub(super) fn revoke(&mut self) {
        self.revoked = true;
    }

    /// Forgets every promise; answers to what was said before bring none back.
    pub(super) fn rest(&mut self) {
        self.sent.clear();
        self.promises.clear();
    }

    /// Notes a round of heartbeats. Rounds that follow each other closely count as sent with the first of them.
    pub(super) fn note_sent(&mut self, round: u64, now: Timestamp, config: &Config) {
        if !config.lease_reads || self.revoked {
            return;
        }
        let close = config.heartbeat_interval / 4;
        if self.sent.back().is_some_and(|(_, sent)| now.since(*sent) < close) {
            return;
        }
        let past = |(_, sent): &mut (u64, Timestamp)| now.since(*sent) > config.election_timeout;
        while self.sent.pop_front_if(past).is_some() {}
        self.sent.push_back((round, now));
    }

    /// Takes a peer's promise.
    pub(super) fn note_promise(&mut self, peer: NodeId, epoch: Epoch, beat: Beat, config: &Config) {
        let later = self.sent.partition_point(|(round, _)| *round <= beat.round);
        let Some((_, sent)) = later.checked_sub(1).and_then(|last| self.sent.get(last)) else { return };
        let until = sent.after(shortened(beat.promise, config.clock_drift_ppm));
        let held = self.promises.entry(peer).or_insert((epoch, until));
        *held = if held.0 == epoch { (epoch, held.1.max(until)) } else { (epoch, until) };
    }

    /// Until when the peer behind this replication keeps its promise.
    pub(super) fn promise(&self, peer: NodeId, epoch: Epoch) -> Option<Timestamp> {
        let (given, until) = self.promises.get(&peer)?;
        Some(*until).filter(|_| *given == epoch)
    }

    /// Takes every instant out: what happened happened at [`Timestamp::ZERO`].
    pub(super) fn forget_time(&mut self) {
        self.sent.iter_mut().for_each(|(_, sent)| *sent = Timestamp::ZERO);
        self.promises.values_mut().for_each(|(_, until)| *until = Timestamp::ZERO);
    }

    /// Who has promised something, and whether that counts.
    pub(super) fn holders(&self) -> (bool, impl Iterator<Item = NodeId>) {
        (self.revoked, self.promises.keys().copied())
    }
}

/// What a promise by another clock is worth by this one, if both run within so many millionths of the true rate.
fn shortened(promise: Duration, drift_ppm: u32) -> Duration {
    let drift = u128::from(drift_ppm).min(MILLION);
    let nanos = promise.as_nanos() * (MILLION - drift) / (MILLION + drift);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_worth_less_the_further_clocks_may_drift_and_never_more_than_itself() {
        let worth = |drift_ppm| shortened(Duration::from_millis(1_100), drift_ppm);
        assert_eq!(worth(0), Duration::from_millis(1_100));
        assert_eq!(worth(100_000), Duration::from_millis(900));
        assert_eq!(worth(1_000_000), Duration::ZERO);
        assert_eq!(worth(u32::MAX), Duration::ZERO);
    }

    #[test]
    fn a_promise_counts_from_the_first_heartbeat_of_its_round_and_only_as_its_replications() {
        let config = Config { lease_reads: true, clock_drift_ppm: 0, ..Config::sim(NodeId(1), [].into()) };
        let at = |millis| Timestamp::ZERO.after(Duration::from_millis(millis));
        let beat = |round| Beat { round, promise: Duration::from_millis(100) };
        let mut lease = Lease::default();
        for (round, sent) in [(3, 100), (4, 105), (5, 200)] {
            lease.note_sent(round, at(sent), &config);
        }
        lease.note_promise(NodeId(2), Epoch(1), beat(2), &config);
        assert_eq!(lease.promise(NodeId(2), Epoch(1)), None, "long past");
        lease.note_promise(NodeId(2), Epoch(1), beat(4), &config);
        assert_eq!(lease.promise(NodeId(2), Epoch(1)), Some(at(200)), "with round 3");
        lease.note_promise(NodeId(2), Epoch(1), beat(5), &config);
        lease.note_promise(NodeId(2), Epoch(1), beat(3), &config);
        assert_eq!(lease.promise(NodeId(2), Epoch(1)), Some(at(300)), "late answers take nothing back");
        assert_eq!(lease.promise(NodeId(2), Epoch(2)), None);
        lease.rest();
        lease.note_promise(NodeId(2), Epoch(1), beat(5), &config);
        assert_eq!(lease.promise(NodeId(2), Epoch(1)), None);
    }
}
