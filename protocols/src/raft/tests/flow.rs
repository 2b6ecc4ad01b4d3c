//! Flow: nobody who is slow, be it a peer or the application, makes a leader hold or log without end.

use std::time::Duration;

use crate::raft::tests::harness::Cluster;
use crate::raft::{Config, Message, Refusal, Reply};
use crate::types::{Outcome, Token};

/// One part in sixteen of what may wait.
fn payload(cluster: &Cluster) -> String {
    "x".repeat(cluster.raft(1).config.max_uncommitted_bytes / 16)
}

fn propose(cluster: &mut Cluster, count: usize) -> Vec<Token> {
    let payload = payload(cluster);
    let one = |_| {
        let token = cluster.propose(1, &payload);
        cluster.run(Duration::from_millis(5));
        token
    };
    (0..count).map(one).collect()
}

#[test]
fn what_is_committed_and_not_applied_is_bounded_too() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.node(1).app_busy = true;
    let before = cluster.raft(1).status();
    let tokens = propose(&mut cluster, 40);
    let status = cluster.raft(1).status();
    assert!(status.commit > before.commit, "all of it is committed as it comes: {status:?}");
    assert_eq!(status.applied, before.applied, "nothing of it is applied");
    let refused: Vec<_> = tokens.iter().filter_map(|&token| cluster.refusal(1, token)).collect();
    assert_eq!(refused.len(), 40 - 15, "sixteen parts and their overhead do not fit");
    assert!(
        refused.iter().all(|refusal| *refusal == Refusal::Busy && refusal.outcome() == Outcome::NotExecuted)
    );
    let logged = status.last_index.0 - before.last_index.0;
    assert_eq!(logged, 15, "what is refused does not get into the log");
    cluster.node(1).app_busy = false;
    cluster.run(Duration::from_millis(200));
    let token = propose(&mut cluster, 1)[0];
    assert!(matches!(cluster.reply(1, token), Some(Reply::Applied { .. })), "and room comes back");
}

#[test]
fn a_peer_that_hangs_keeps_nothing_in_its_leaders_memory_and_gets_no_more_than_its_window() {
    let eager_to_keep = |config| Config { snapshot_entries: 1 << 40, snapshot_bytes: 1 << 40, ..config };
    let mut cluster = Cluster::with(3, eager_to_keep).elect(1);
    cluster.isolate(3);
    cluster.seen.clear();
    propose(&mut cluster, 200);
    let Config { cache_bytes, max_inflight_bytes, max_append_bytes, .. } = *cluster.raft(1).config;
    let size = payload(&cluster).len() + 48;
    assert!(200 * size > 10 * cache_bytes, "far more than is to be kept was proposed");
    assert!(cluster.raft(1).log.cached_bytes() <= cache_bytes + size);
    let silent = crate::raft::tests::harness::n(3);
    let sent: usize = cluster
        .seen
        .iter()
        .filter(|(_, to, _)| *to == silent)
        .map(|(_, _, message)| match message {
            Message::Append { entries, .. } => entries.iter().map(crate::log::Entry::size).sum(),
            _ => 0,
        })
        .sum();
    assert!(
        sent <= max_inflight_bytes + max_append_bytes.max(size),
        "{sent} bytes sent to a peer that is silent"
    );
    cluster.cut.clear();
    cluster.run(Duration::from_secs(5));
    assert_eq!(cluster.raft(3).log.last(), cluster.raft(1).log.last(), "it is read back from the disk");
}
