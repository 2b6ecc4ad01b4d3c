//! Disks: what is confirmed when, what a restart finds, what a full or failed disk means.

use std::time::Duration;

use bytes::Bytes;

use crate::log::{Body, Entry, MemoryLog, Position, SnapshotMeta};
use crate::protocol::{Effect, Input, Outbox, Protocol, Recovered};
use crate::raft::Voice;
use crate::raft::tests::harness::{Cluster, config, founding, n};
use crate::raft::{Command, Config, Epoch, Message, Raft, Record, Refusal, Reply, Role};
use crate::types::{LogIndex, LogTime, Outcome, SessionId, Term, Timestamp, Token, WriteId};

fn entry(index: u64, term: u64) -> Entry {
    let body = Body::Command { session: None, payload: Bytes::from_static(b"x") };
    Entry { term: Term(term), index: LogIndex(index), time: LogTime(index), body }
}

fn append(term: u64, previous: (u64, u64), entries: Vec<Entry>) -> Message {
    let previous = Position { index: LogIndex(previous.0), term: Term(previous.1) };
    Message::Append {
        term: Term(term),
        epoch: Epoch(1),
        previous,
        commit: LogIndex::ZERO,
        entries: entries.into(),
    }
}

/// A machine whose disk confirms nothing by itself.
struct Bare {
    raft: Raft,
    out: Outbox<Raft>,
}

impl Bare {
    fn new(recovered: Recovered<Record>) -> Self {
        Self { raft: Raft::restore(config(3, 3).into(), 1, recovered), out: Outbox::default() }
    }

    fn input(&mut self, input: Input<Raft>) -> Vec<Effect<Raft>> {
        self.raft.handle(Timestamp(5), input, &mut self.out);
        self.out.take()
    }

    fn hear(&mut self, from: u64, message: Message) -> Vec<Effect<Raft>> {
        self.input(Input::Message { from: n(from), session: SessionId(1), message })
    }
}

#[test]
fn rt_05_the_term_is_written_no_later_than_its_first_entry() {
    let mut bare = Bare::new(Recovered::default());
    let effects = bare.hear(1, append(4, (0, 0), vec![entry(1, 4)]));
    let records: Vec<_> = effects
        .into_iter()
        .filter_map(|effect| if let Effect::Persist { records, .. } = effect { Some(records) } else { None })
        .flatten()
        .collect();
    let ballot = records.iter().position(|r| matches!(r, Record::Ballot { term: Term(4), .. }));
    let first = records.iter().position(|r| matches!(r, Record::Entry(_)));
    assert!(ballot.expect("the term is written") < first.expect("the entry is written"), "{records:?}");
}

#[test]
fn rt_06_a_late_confirmation_of_an_overwritten_entry_confirms_nothing() {
    let mut bare = Bare::new(Recovered::default());
    // (1, t1) is under way; it is replaced by (1, t2), and then by (1, t1) and more again.
    bare.hear(1, append(1, (0, 0), vec![entry(1, 1)]));
    let first = bare.out.last_write();
    bare.hear(2, append(2, (0, 0), vec![entry(1, 2)]));
    let second = bare.out.last_write();
    bare.hear(1, append(3, (0, 0), vec![entry(1, 1), entry(2, 3)]));
    let third = bare.out.last_write();
    bare.input(Input::Persisted(first));
    assert_eq!(bare.raft.status().durable_index, LogIndex::ZERO, "what follows on this disk undoes it");
    bare.input(Input::Persisted(second));
    assert_eq!(bare.raft.status().durable_index, LogIndex::ZERO);
    bare.input(Input::Persisted(third));
    assert_eq!(bare.raft.status().durable_index, LogIndex(2));
}

#[test]
fn rt_07_confirmations_out_of_order_or_twice_take_nothing_back() {
    let mut bare = Bare::new(Recovered::default());
    bare.hear(1, append(1, (0, 0), vec![entry(1, 1)]));
    let first = bare.out.last_write();
    bare.hear(1, append(1, (1, 1), vec![entry(2, 1)]));
    let second = bare.out.last_write();
    for id in [second, first, second, WriteId::ZERO] {
        bare.input(Input::Persisted(id));
        assert_eq!(bare.raft.status().durable_index, LogIndex(2));
    }
}

#[test]
fn a_followers_answer_names_the_write_it_depends_on() {
    let mut bare = Bare::new(Recovered::default());
    let effects = bare.hear(1, append(1, (0, 0), vec![entry(1, 1)]));
    let written =
        effects.iter().filter_map(|e| if let Effect::Persist { id, .. } = e { Some(*id) } else { None });
    let last = written.max().expect("a write");
    let gate = effects.iter().find_map(|e| match e {
        Effect::Send { message: Message::AppendReply { .. }, after, .. } => Some(*after),
        _ => None,
    });
    assert_eq!(gate, Some(last));
}

#[test]
fn rt_46_a_whole_cluster_restarts_with_everything_it_acknowledged() {
    for voters in [1, 3, 5] {
        let mut cluster = Cluster::with(voters, |c| Config { snapshot_entries: 20, ..c });
        let leader = cluster.run_until_led();
        for i in 0..50 {
            cluster.propose(leader, &format!("{i}"));
            cluster.settle();
        }
        let before = cluster.raft(leader).status();
        for id in 1..=voters {
            cluster.restart(id);
        }
        let leader = cluster.run_until_led();
        cluster.run(Duration::from_millis(300));
        let status = cluster.raft(leader).status();
        assert!(status.term > before.term && status.voters == before.voters, "{voters} voters");
        assert_eq!(cluster.agreed().len(), 50, "{voters} voters");
    }
}

#[test]
fn rt_46_the_founding_configuration_outlives_a_changed_config_file() {
    let cells = vec![
        Record::Ballot { term: Term(3), vote: Some(n(2)) },
        Record::Founding(founding([n(1), n(2), n(3), n(4), n(5)]).encode()),
    ];
    let raft = Raft::restore(config(3, 3).into(), 1, Recovered { cells, ..Recovered::default() });
    assert_eq!(raft.voters().len(), 5);
    assert_eq!((raft.status().term, raft.status().vote), (Term(3), Some(n(2))));
}

#[test]
fn rt_46_a_snapshot_ahead_of_the_log_makes_the_disk_continue_after_it() {
    let configuration = founding([n(1), n(2), n(3)]).encode();
    let snapshot = SnapshotMeta { index: LogIndex(10), term: Term(2), time: LogTime(50), configuration };
    let cells = vec![Record::Ballot { term: Term(2), vote: None }];
    let log = (1..=7).map(|i| Record::Entry(entry(i, 1))).collect();
    let mut bare = Bare::new(Recovered { cells, snapshot: Some(snapshot), log });
    let status = bare.raft.status();
    assert_eq!(
        (status.applied, status.last_index, status.first_index),
        (LogIndex(10), LogIndex(10), LogIndex(11))
    );
    let effects = bare.input(Input::Timeout);
    assert!(matches!(effects[0], Effect::Truncate { from: LogIndex(1), .. }), "{effects:?}");
    assert!(matches!(effects[1], Effect::Compact { upto: LogIndex(10), .. }), "{effects:?}");
    let effects = bare.hear(1, append(2, (10, 2), vec![entry(11, 2)]));
    assert!(effects.iter().any(|e| matches!(e, Effect::Persist { .. })));
    assert_eq!(bare.raft.status().last_index, LogIndex(11));
}

#[test]
fn rt_10_a_single_voter_leads_only_once_its_vote_itself_is_on_disk() {
    let configuration = founding([n(3)]).encode();
    let snapshot = SnapshotMeta { index: LogIndex(10), term: Term(2), time: LogTime(50), configuration };
    let cells = vec![Record::Ballot { term: Term(2), vote: None }];
    let mut bare = Bare::new(Recovered { cells, snapshot: Some(snapshot), ..Recovered::default() });
    bare.input(Input::Timeout);
    let vote = bare.out.last_write();
    assert!(vote > WriteId(1), "the disk is put right first");
    bare.input(Input::Persisted(vote.previous()));
    assert_eq!(bare.raft.role(), Role::Candidate);
    bare.input(Input::Persisted(vote));
    assert_eq!(bare.raft.role(), Role::Leader);
}

#[test]
fn rt_46_a_tail_kept_below_the_snapshot_is_still_known_after_a_restart() {
    let configuration = founding([n(1), n(2), n(3)]).encode();
    let snapshot = SnapshotMeta { index: LogIndex(10), term: Term(2), time: LogTime(10), configuration };
    let cells = vec![Record::Ballot { term: Term(2), vote: None }];
    let log = (6..=12).map(|i| Record::Entry(entry(i, 1 + u64::from(i > 8)))).collect();
    let bare = Bare::new(Recovered { cells, snapshot: Some(snapshot), log });
    let status = bare.raft.status();
    assert_eq!(
        (status.applied, status.commit, status.last_index),
        (LogIndex(10), LogIndex(10), LogIndex(12))
    );
    assert_eq!(bare.raft.term_at(LogIndex(6)), Some(Term(1)));
    assert_eq!(bare.raft.term_at(LogIndex(5)), None);
}

#[test]
fn what_a_restart_finds_on_disk_is_read_back_when_it_is_applied_and_not_before() {
    let cells = vec![Record::Ballot { term: Term(2), vote: None }];
    let log = (1..=9).map(|i| Record::Entry(entry(i, 2))).collect();
    let mut bare = Bare::new(Recovered { cells, log, ..Recovered::default() });
    assert_eq!(bare.raft.log.cached_bytes(), 0, "a start holds no payloads, however long the log is");
    let effects = bare.hear(1, append(2, (9, 2), Vec::new()));
    assert!(!effects.iter().any(|e| matches!(e, Effect::Load { .. })), "nothing is known to be committed");

    let heartbeat =
        Message::Heartbeat { term: Term(2), epoch: Epoch(1), round: 1, commit: LogIndex(6), probe: None };
    let effects = bare.hear(1, heartbeat);
    let (request, from, to) = effects
        .iter()
        .find_map(|e| match e {
            Effect::Load { request, from, to, .. } => Some((*request, *from, *to)),
            _ => None,
        })
        .expect("what is committed is read back");
    assert_eq!((from, to), (LogIndex(1), LogIndex(6)));
    let records = (1..=6).map(|i| Record::Entry(entry(i, 2))).collect();
    let effects = bare.input(Input::Loaded { request, records });
    let applied = effects.iter().find_map(|e| match e {
        Effect::Apply { entries } => Some(entries.len()),
        _ => None,
    });
    assert_eq!(applied, Some(6));
}

#[test]
#[should_panic(expected = "RT-05")]
fn a_disk_whose_log_is_ahead_of_its_term_is_not_started_from() {
    let log = [Record::Entry(entry(1, 7))].into_iter().collect();
    Raft::restore(config(3, 3).into(), 1, Recovered { log, ..Recovered::default() });
}

#[test]
fn a_full_disk_refuses_new_work_and_still_votes() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.input(1, Input::Space { available: false });
    let token = cluster.propose(1, "a");
    assert_eq!(cluster.refusal(1, token), Some(Refusal::NoSpace));
    assert_eq!(Refusal::NoSpace.outcome(), Outcome::NotExecuted);
    let read = cluster.command(1, Command::Read);
    cluster.settle();
    assert!(matches!(cluster.reply(1, read), Some(Reply::ReadReady { .. })));
    cluster.node(2).down = true;
    cluster.command(3, Command::Transfer { to: None });
    let moved = cluster.command(1, Command::Transfer { to: Some(n(3)) });
    cluster.run(Duration::from_millis(200));
    assert_eq!(cluster.reply(1, moved), Some(&Reply::Transferred { to: n(3) }), "node 1 voted without space");
    let token = cluster.propose(3, "b");
    cluster.run(Duration::from_millis(200));
    assert_eq!(cluster.reply(3, token), None, "node 1 has no room for it");
    cluster.input(1, Input::Space { available: true });
    cluster.run(Duration::from_millis(200));
    assert!(matches!(cluster.reply(3, token), Some(Reply::Applied { .. })));
}

#[test]
fn a_follower_without_space_is_not_flooded() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.input(3, Input::Space { available: false });
    cluster.propose(1, "a");
    cluster.settle();
    cluster.seen.clear();
    cluster.run(Duration::from_secs(1));
    let appends = cluster.seen.iter().filter(|(_, to, m)| *to == n(3) && matches!(m, Message::Append { .. }));
    assert!(appends.count() <= 20, "about one attempt for each heartbeat");
}

#[test]
fn a_node_without_space_does_not_campaign() {
    let mut cluster = Cluster::new(3);
    cluster.input(1, Input::Space { available: false });
    cluster.isolate(1);
    cluster.run(Duration::from_secs(2));
    assert_eq!(cluster.raft(1).role(), Role::Follower);
    assert!(cluster.reached.contains("no campaign without space"));
}

#[test]
fn rt_27_a_failed_write_answers_everyone_once_and_silences_the_machine() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.isolate(1);
    let mut waiting = vec![cluster.propose(1, "a")];
    waiting.push(cluster.command(1, Command::Read));
    waiting.push(cluster.command(1, Command::Transfer { to: Some(n(2)) }));
    cluster.settle();
    cluster.input(1, Input::WriteFailed);
    for token in waiting {
        assert_eq!(cluster.refusal(1, token).map(|r| r.outcome()), Some(Outcome::Unknown), "{token:?}");
    }
    let late = cluster.propose(1, "b");
    assert_eq!(cluster.refusal(1, late), Some(Refusal::Stopped));
    cluster.seen.clear();
    cluster.cut.clear();
    let last = Position { term: Term(9), index: LogIndex(9) };
    cluster.deliver(2, 1, Message::Vote { term: Term(9), last, transfer: true, voice: Voice::default() });
    cluster.input(1, Input::Persisted(WriteId(u64::MAX)));
    cluster.run(Duration::from_secs(1));
    assert!(!cluster.seen.iter().any(|(from, _, _)| *from == n(1)), "it says nothing any more");
    assert_eq!(cluster.raft(1).next_deadline(), None);
    let leader = cluster.run_until_led();
    assert_ne!(leader, 1);
}

#[test]
fn the_log_in_memory_knows_every_term_whatever_it_forgets() {
    let mut log = MemoryLog::new(Position::START, LogTime::ZERO);
    let terms = [1, 1, 1, 2, 2, 5, 5, 5, 5, 6];
    for (i, term) in terms.into_iter().enumerate() {
        log.append(entry(i as u64 + 1, term));
    }
    log.evict(LogIndex(10), 0);
    assert_eq!((log.cached_bytes(), log.entry(LogIndex(10))), (0, None));
    for compacted in 0..=10u64 {
        let mut log = log.clone();
        log.compact(LogIndex(compacted));
        for index in 0..12u64 {
            let held = index >= compacted && index <= 10;
            let term = if index == 0 { 0 } else { terms.get(index as usize - 1).copied().unwrap_or(0) };
            let expected = held.then_some(Term(term));
            assert_eq!(log.term_at(LogIndex(index)), expected, "{index} after compacting {compacted}");
        }
        for (index, term) in [(10, 5), (10, 4), (7, 9), (4, 1), (3, 0)] {
            let limit = Position { index: LogIndex(index), term: Term(term) };
            let brute = (compacted..=index)
                .rev()
                .find(|&i| log.term_at(LogIndex(i)).is_some_and(|t| t <= limit.term));
            assert_eq!(
                log.last_within(limit).map(|p| p.index.0),
                brute,
                "{limit:?} after compacting {compacted}"
            );
        }
    }
}

#[test]
fn a_machine_never_panics_on_what_a_peer_sends() {
    let mut prng = crate::prng::Prng::new(99);
    let extremes = [0, 1, 2, 3, 5, u64::MAX - 1, u64::MAX];
    let mut cluster = Cluster::led_by(3, 1);
    cluster.forged = true;
    for round in 0..20_000u32 {
        let mut draw = || *prng.pick(&extremes).expect("not empty");
        let (term, a, b, c) = (Term(draw().min(9)), draw(), draw(), draw());
        let position = Position { term: Term(b), index: LogIndex(a) };
        let epoch = Epoch(c);
        let message = match round % 9 {
            0 => Message::PreVote { proposed: Term(a), last: position, voice: Voice::default() },
            1 => Message::PreVoteReply { term, proposed: Term(a), granted: b == 0, voice: Voice::default() },
            2 => Message::Vote { term, last: position, transfer: c == 0, voice: Voice::default() },
            3 => Message::VoteReply { term, granted: b == 0, voice: Voice::default() },
            4 => {
                let entries = vec![Entry { index: LogIndex(c), term: Term(b), ..entry(1, 1) }];
                Message::Append {
                    term,
                    epoch,
                    previous: position,
                    commit: LogIndex(b),
                    entries: entries.into(),
                }
            }
            5 => Message::AppendReply {
                term,
                epoch,
                result: crate::raft::AppendResult::Matched(LogIndex(a)),
                voice: Voice::default(),
            },
            6 => {
                let result = crate::raft::AppendResult::Conflict { rejected: LogIndex(c), hint: position };
                Message::AppendReply { term, epoch, result, voice: Voice::default() }
            }
            7 => Message::Heartbeat { term, epoch, round: a, commit: LogIndex(b), probe: Some(position) },
            _ => Message::TimeoutNow { term, last: position },
        };
        let id = 1 + u64::from(round) % 3;
        let now = Timestamp(1_000_000 + u64::from(round));
        let node = cluster.node(id);
        let from = n(1 + id % 3);
        node.raft.handle(now, Input::Message { from, session: SessionId(1), message }, &mut node.out);
        node.raft.handle(now, Input::Persisted(node.out.last_write()), &mut node.out);
        node.raft.handle(now, Input::Timeout, &mut node.out);
        node.out.take();
        let token = Token(1_000_000 + u64::from(round));
        node.raft.handle(now, Input::Command { token, command: Command::Read }, &mut node.out);
    }
}
