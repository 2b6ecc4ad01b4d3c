//! Replicated services on three whole nodes in virtual time: any node answers, a dead leader costs nothing twice, a node that was
//! away for long takes a snapshot.

#[path = "services/counter.rs"]
mod counter;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{join_all, try_join_all};
use synod::address::node_id;
use synod::env::Env;
use synod::node::{Node, RaftConfig};
use synod::protocols::log::SessionTag;
use synod::protocols::raft::Role;
use synod::protocols::{ClientId, LogIndex};
use synod::services::Outcome;
use synod::services::kv::{
    Call, Consistency, DeleteOutcome, EventKind, Expect, Kv, KvCause, Put, PutOutcome, Range,
};
use synod::services::replicated::{Ask, DEADLINE, Doors, Forward, Proof, Replicated};
use synod::sim::{Simulation, simulate};
use synod::storage::LogOptions;
use synod::telemetry::Metrics;
use synod::transport::PeerName;
use tokio::time::{Instant, sleep};

use crate::counter::Counter;

const NAMES: [&str; 3] = ["a", "b", "c"];
const PORT: u16 = 7400;

#[derive(Clone)]
struct Handles {
    kv: Kv,
    counter: Replicated<Counter>,
    metrics: Metrics,
}

#[derive(Clone)]
struct Cluster {
    simulation: Simulation,
    raft: RaftConfig,
    handles: Rc<RefCell<BTreeMap<PeerName, Handles>>>,
}

impl Cluster {
    /// Three nodes, of which one leads the map.
    async fn new(simulation: Simulation, raft: RaftConfig) -> Self {
        let cluster = Self { simulation, raft, handles: Rc::default() };
        for name in NAMES {
            cluster.start(&named(name));
        }
        while cluster.handles.borrow().len() < NAMES.len() {
            sleep(Duration::from_millis(5)).await;
        }
        cluster.leader().await;
        cluster
    }

    fn start(&self, name: &PeerName) {
        let (own, simulation, handles, raft) =
            (name.clone(), self.simulation.clone(), self.handles.clone(), self.raft);
        self.simulation.start(name, move |env| async move {
            let bind = simulation.endpoint(&own, PORT).parse().expect("an address");
            // A record has to fit into a segment, and the largest value is a mebibyte.
            let log = LogOptions { segment_bytes: 4 << 20, ..LogOptions::sim() };
            let mut builder = Node::builder("test", own.as_str()).env(env).bind(bind).log(log).raft(raft);
            builder = builder.open_to_clients("counter").open_to_clients("kv");
            for peer in NAMES.map(named).iter().filter(|peer| **peer != own) {
                builder = builder.peer(peer.as_str(), simulation.endpoint(peer, PORT)).expect("a peer");
            }
            let node = builder.start().await.expect("the node starts");
            let kv = node.kv("kv", NAMES).await.expect("the map starts");
            let counter =
                node.replicated("counter", NAMES, Counter::default()).await.expect("the counter starts");
            let metrics = node.metrics().clone();
            handles.borrow_mut().insert(own, Handles { kv, counter, metrics });
            // The node lives until its process is killed.
            std::future::pending::<()>().await;
        });
    }

    fn kill(&self, name: &PeerName) {
        self.handles.borrow_mut().remove(name);
        assert!(self.simulation.kill(name));
    }

    async fn restart(&self, name: &PeerName) {
        self.start(name);
        while !self.handles.borrow().contains_key(name) {
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn at(&self, name: &PeerName) -> Handles {
        self.handles.borrow()[name].clone()
    }

    /// Who leads the map, once somebody does and all that live know.
    async fn leader(&self) -> PeerName {
        loop {
            let handles: Vec<_> = self.handles.borrow().clone().into_iter().collect();
            let mut leaders = Vec::new();
            let mut known = 0;
            for (name, handles) in &handles {
                if let Ok(status) = handles.kv.status().await {
                    known += usize::from(status.leader.is_some());
                    if status.role == Role::Leader {
                        leaders.push(name.clone());
                    }
                }
            }
            if let ([leader], true) = (&leaders[..], known == handles.len()) {
                return leader.clone();
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn follower(&self) -> PeerName {
        let leader = self.leader().await;
        self.handles.borrow().keys().find(|name| **name != leader).cloned().expect("three nodes")
    }
}

fn named(name: &str) -> PeerName {
    PeerName::new(name).expect("a name")
}

fn put(key: &str, value: impl Into<Bytes>) -> Put {
    Put { key: key.into(), value: value.into(), expect: Expect::Any, lease: None }
}

fn run<T, F: Future<Output = T>>(seed: u64, raft: RaftConfig, test: impl FnOnce(Cluster) -> F) -> T {
    simulate(seed, &NAMES, |simulation| async move { test(Cluster::new(simulation, raft).await).await }).value
}

#[test]
fn every_node_answers_and_none_is_behind_what_was_acknowledged() {
    run(1, RaftConfig::default(), |cluster| async move {
        let mut last = LogIndex::ZERO;
        for (round, name) in NAMES.iter().cycle().take(9).enumerate() {
            let writer = cluster.at(&named(name)).kv;
            let value = Bytes::from(round.to_string());
            let written = writer.put(put("k", value.clone()), Call::default()).await.unwrap();
            let index = match (round, written) {
                (0, PutOutcome::Created { index }) | (1.., PutOutcome::Replaced { index }) => index,
                other => panic!("{other:?}"),
            };
            assert!(index > last);
            last = index;
            for reader in NAMES.map(named) {
                let read = cluster.at(&reader).kv.get("k", Consistency::Linearizable).await.unwrap();
                let present = read.value.expect("it was written");
                assert_eq!((present.value, present.index), (value.clone(), index), "at {reader}");
                assert!(read.index >= index);
            }
        }
        let follower = cluster.at(&cluster.follower().await).kv;
        let rows = follower
            .range(Range { prefix: "k".into(), after: None, limit: 9 }, Consistency::Linearizable)
            .await;
        assert_eq!(rows.unwrap().value.len(), 1);
        let gone = follower.delete("k", Expect::Any, Call::default()).await.unwrap();
        assert!(matches!(gone, DeleteOutcome::Deleted { .. }));
        let large = vec![7; 1 << 20];
        follower.put(put("large", large.clone()), Call::default()).await.unwrap();
        for reader in NAMES.map(named) {
            let read = cluster.at(&reader).kv.get("large", Consistency::Linearizable).await.unwrap();
            assert_eq!(
                read.value.expect("it was written").value,
                large,
                "a value above the frame limit, at {reader}"
            );
        }
        let error = follower.put(put("large", vec![7; (1 << 20) + 1]), Call::default()).await.unwrap_err();
        assert_eq!(
            (error.cause, error.outcome),
            (KvCause::TooLarge { size: (1 << 20) + 1, limit: 1 << 20 }, Outcome::NotExecuted)
        );
    });
}

#[test]
fn a_key_that_names_a_request_makes_it_take_effect_once_wherever_it_is_retried() {
    run(2, RaftConfig::default(), |cluster| async move {
        let call = |key: &str| Call { idempotency_key: Some(key.into()), ..Call::default() };
        let (a, b) = (cluster.at(&named("a")), cluster.at(&named("b")));
        let once = Put { expect: Expect::Absent, ..put("k", "1") };
        let first = a.kv.put(once.clone(), call("r1")).await.unwrap();
        assert!(matches!(first, PutOutcome::Created { .. }));
        assert_eq!(b.kv.put(once.clone(), call("r1")).await.unwrap(), first, "the first answer again");
        let other = b.kv.put(once, call("r2")).await.unwrap();
        assert!(matches!(other, PutOutcome::Conflict { .. }));
        let reused = b.kv.delete("k", Expect::Any, call("r1")).await.unwrap_err();
        assert_eq!((reused.cause, reused.outcome), (KvCause::KeyReused, Outcome::NotExecuted));
        let reused = b.kv.put(put("other", "1"), call("r1")).await.unwrap_err();
        assert_eq!((reused.cause, reused.outcome), (KvCause::KeyReused, Outcome::NotExecuted));
        assert_eq!(b.kv.get("other", Consistency::Linearizable).await.unwrap().value, None);
        let tag = SessionTag { client: ClientId(5), sequence: 1 };
        assert_eq!(a.counter.execute_once(tag, &3, DEADLINE).await, Ok(3));
        assert_eq!(b.counter.execute_once(tag, &3, DEADLINE).await, Ok(3));
        assert_eq!(a.counter.query(&(), DEADLINE).await.unwrap().0, 3);
        let unknown = SessionTag { client: ClientId(6), sequence: 2 };
        let expired = a.counter.execute_once(unknown, &3, DEADLINE).await.unwrap_err();
        assert_eq!(expired.outcome, Outcome::NotExecuted);
    });
}

/// Adds one again and again at both survivors while leaders die, and gives how many additions were acknowledged.
async fn add(cluster: Cluster, worker: usize, times: usize) -> u64 {
    let mut acknowledged = 0;
    for round in 0..times {
        let names: Vec<_> = cluster.handles.borrow().keys().cloned().collect();
        let counter = cluster.at(&names[(worker + round) % names.len()]).counter;
        match counter.execute(&1, Duration::from_secs(20)).await {
            Ok(_) => acknowledged += 1,
            // Only the node that was asked itself may have died under the request.
            Err(error) => {
                assert!(!cluster.simulation.is_running(&names[(worker + round) % names.len()]), "{error:?}")
            }
        }
        sleep(Duration::from_millis(3)).await;
    }
    acknowledged
}

#[test]
fn requests_at_survivors_take_effect_exactly_once_while_leaders_are_killed() {
    for seed in 10..14 {
        run(seed, RaftConfig::default(), |cluster| async move {
            // The node on which no worker runs is killed: whatever it leads, and whatever it answers, dies with it.
            let survivors: Vec<_> = cluster.handles.borrow().keys().cloned().collect();
            let workers = async {
                let adding = survivors.iter().take(2).flat_map(|name| {
                    let counter = cluster.at(name).counter;
                    (0..8).map(move |_| {
                        let counter = counter.clone();
                        async move {
                            for _ in 0..150 {
                                counter.execute(&1, Duration::from_secs(20)).await?;
                                sleep(Duration::from_millis(5)).await;
                            }
                            Ok::<_, synod::services::replicated::ReplicaError>(())
                        }
                    })
                });
                try_join_all(adding).await.expect("each request of a survivor is served in the end");
            };
            let killer = async {
                let victim = survivors[2].clone();
                for _ in 0..3 {
                    // Make the victim lead, so that requests are on their way to it when it dies.
                    let leading = cluster.at(&survivors[0]).counter.leader().await;
                    for name in &survivors {
                        if node_id(name) == leading {
                            // A transfer that fails leaves the leader where it is, which is as good a victim's neighbour.
                            let _ = cluster.at(name).counter.transfer(Some(node_id(&victim)), DEADLINE).await;
                        }
                    }
                    sleep(Duration::from_millis(60)).await;
                    cluster.kill(&victim);
                    sleep(Duration::from_millis(900)).await;
                    cluster.restart(&victim).await;
                    sleep(Duration::from_millis(300)).await;
                }
            };
            tokio::join!(workers, killer);
            let sums = join_all(NAMES.map(named).iter().map(|name| {
                let counter = cluster.at(name).counter;
                async move { counter.query(&(), DEADLINE).await.expect("all live").0 }
            }));
            assert_eq!(sums.await, [2400; 3], "seed {seed}");
        });
    }
}

#[test]
fn a_cluster_killed_as_a_whole_remembers_every_acknowledged_addition() {
    run(20, RaftConfig::default(), |cluster| async move {
        let acknowledged: u64 =
            join_all((0..6).map(|worker| add(cluster.clone(), worker, 20))).await.into_iter().sum();
        assert_eq!(acknowledged, 120);
        for name in NAMES.map(named) {
            cluster.kill(&name);
        }
        for name in NAMES.map(named) {
            cluster.restart(&name).await;
        }
        assert_eq!(cluster.at(&named("b")).counter.query(&(), DEADLINE).await.unwrap().0, 120);
    });
}

#[test]
fn a_minority_refuses_in_time_and_says_that_nothing_happened() {
    run(3, RaftConfig::default(), |cluster| async move {
        let leader = cluster.leader().await;
        let follower = cluster.follower().await;
        let kv = cluster.at(&follower).kv;
        for name in NAMES.map(named) {
            if name != follower {
                cluster.kill(&name);
            }
        }
        assert_ne!(leader, follower);
        sleep(Duration::from_secs(5)).await;
        let began = Instant::now();
        let call = Call { deadline: Duration::from_secs(2), ..Call::default() };
        let error = kv.put(put("k", "1"), call).await.unwrap_err();
        assert_eq!(error.outcome, Outcome::NotExecuted, "{error:?}");
        assert!(began.elapsed() <= Duration::from_millis(2_100));
        assert!(kv.get("k", Consistency::Linearizable).await.is_err());
        assert_eq!(kv.get("k", Consistency::Stale).await.unwrap().value, None);
        for name in NAMES.map(named) {
            if name != follower {
                cluster.restart(&name).await;
            }
        }
        kv.put(put("k", "2"), Call::default()).await.unwrap();
        assert_eq!(kv.get("k", Consistency::Linearizable).await.unwrap().value.unwrap().value, "2");
    });
}

#[test]
fn leases_run_out_everywhere_without_a_request_and_watchers_of_any_node_hear_of_it() {
    run(4, RaftConfig::default(), |cluster| async move {
        let follower = cluster.at(&cluster.follower().await).kv;
        let mut watch = follower.watch("s/", None).unwrap();
        let lease = follower.grant(Duration::from_secs(3), Call::default()).await.unwrap();
        let began = Instant::now();
        let leased = Put { lease: Some(lease), ..put("s/1", "here") };
        follower.put(leased, Call::default()).await.unwrap();
        sleep(Duration::from_secs(2)).await;
        follower.keep_alive(lease, Call::default()).await.unwrap();
        let born = watch.next().await.unwrap().unwrap();
        assert_eq!((born.kind, born.key.as_str()), (EventKind::Put, "s/1"));
        let died = watch.next().await.unwrap().unwrap();
        assert_eq!((died.kind, died.value), (EventKind::Expire, None));
        let lived = began.elapsed();
        assert!((Duration::from_millis(4_900)..Duration::from_secs(6)).contains(&lived), "{lived:?}");
        let late = follower.keep_alive(lease, Call::default()).await.unwrap_err();
        assert_eq!(late.cause, KvCause::LeaseUnknown);
        for name in NAMES.map(named) {
            let mut again = cluster.at(&name).kv.watch("s/", Some(born.index)).unwrap();
            assert_eq!(again.next().await.unwrap().unwrap().index, born.index, "the same history at {name}");
            assert_eq!(again.next().await.unwrap().unwrap().index, died.index);
        }
    });
}

#[test]
fn a_node_that_was_away_for_long_takes_over_a_snapshot() {
    let raft = RaftConfig { snapshot_entries: 4_000, ..RaftConfig::default() };
    run(5, raft, |cluster| async move {
        let away = cluster.follower().await;
        cluster.kill(&away);
        let leader = cluster.leader().await;
        let kv = cluster.at(&leader).kv;
        // The leader keeps 10,000 entries below its snapshot: more than that have to be written.
        for batch in 0..64 {
            let writes =
                (0..250).map(|n| kv.put(put(&format!("k{batch}/{n}"), n.to_string()), Call::default()));
            try_join_all(writes).await.unwrap();
        }
        cluster.restart(&away).await;
        let back = cluster.at(&away).kv;
        let applied = kv.status().await.unwrap().applied;
        while back.status().await.unwrap().applied < applied {
            sleep(Duration::from_millis(50)).await;
        }
        let status = back.status().await.unwrap();
        assert!(status.snapshot_index > LogIndex(4_000), "{status:?}");
        let read = back.get("k0/7", Consistency::Stale).await.unwrap();
        assert_eq!(read.value.expect("in the snapshot").value, "7");
        let read = back.get("k63/249", Consistency::Stale).await.unwrap();
        assert_eq!(read.value.expect("after the snapshot").value, "249");
        let error = back.watch("", Some(LogIndex(1))).map(drop).unwrap_err();
        assert!(matches!(error.cause, KvCause::Compacted { .. }));
        // What it has taken over, it keeps.
        cluster.kill(&away);
        cluster.restart(&away).await;
        let back = cluster.at(&away).kv;
        assert_eq!(back.get("k0/7", Consistency::Linearizable).await.unwrap().value.unwrap().value, "7");
    });
}

/// Starts a client of all nodes and runs its program to the end.
async fn as_client<F: Future<Output = ()> + 'static>(
    simulation: &Simulation,
    name: &str,
    program: impl FnOnce(Node) -> F + 'static,
) {
    let peers = NAMES.map(|peer| (peer, simulation.endpoint(&named(peer), PORT)));
    let (sender, done) = tokio::sync::oneshot::channel();
    let own = name.to_owned();
    simulation.start(&named(name), move |env| async move {
        let mut builder = Node::client("test", &own).env(Env { disk: None, ..env });
        for (peer, endpoint) in peers {
            builder = builder.peer(peer, endpoint).expect("a peer");
        }
        program(builder.start().await.expect("the client starts")).await;
        // The receiver waits below; a test that has failed has dropped it.
        let _ = sender.send(());
        std::future::pending::<()>().await;
    });
    done.await.expect("the client came to its end");
}

/// A cluster of three and names for clients beside it.
fn run_with_clients<T, F: Future<Output = T>>(seed: u64, test: impl FnOnce(Cluster) -> F) -> T {
    let names = ["a", "b", "c", "client"];
    let start = |simulation| async move { test(Cluster::new(simulation, RaftConfig::default()).await).await };
    simulate(seed, &names, start).value
}

#[test]
fn a_clients_requests_take_effect_exactly_once_while_leaders_die_and_are_served_soon() {
    for seed in 30..34 {
        run_with_clients(seed, |cluster| async move {
            let slowest = Rc::new(RefCell::new(Duration::ZERO));
            let longest = slowest.clone();
            let requests = as_client(&cluster.simulation, "client", move |client| async move {
                // Two handles of one client have sessions of their own.
                let handle = || client.remote::<Counter>("counter", NAMES).expect("a handle");
                let counters = [handle(), handle()];
                let kv = client.remote_kv("kv", NAMES).expect("a handle");
                let adding = (0..8).map(|worker| {
                    let (counter, kv, longest) = (counters[worker % 2].clone(), kv.clone(), longest.clone());
                    async move {
                        for round in 0..400 {
                            let began = Instant::now();
                            let added: u64 =
                                counter.execute(&1, Duration::from_secs(20)).await.expect("served");
                            assert!(added > 0);
                            let key = format!("{worker}");
                            let call = Call { deadline: Duration::from_secs(20), ..Call::default() };
                            kv.put(put(&key, round.to_string()), call).await.expect("served");
                            let read = kv.get(&key, Consistency::Linearizable).await.expect("served");
                            assert_eq!(read.value.expect("written").value, round.to_string());
                            longest.replace_with(|longest| began.elapsed().max(*longest));
                            sleep(Duration::from_millis(40)).await;
                        }
                    }
                });
                join_all(adding).await;
            });
            let killer = async {
                for _ in 0..3 {
                    sleep(Duration::from_millis(500)).await;
                    let leader = cluster.leader().await;
                    cluster.kill(&leader);
                    sleep(Duration::from_millis(1_500)).await;
                    cluster.restart(&leader).await;
                    // The client's link to it has to be noticed dead, after 3 s, and dialled again.
                    sleep(Duration::from_secs(4)).await;
                }
            };
            tokio::join!(requests, killer);
            let sum = cluster.at(&named("a")).counter.query(&(), DEADLINE).await.expect("all live").0;
            assert_eq!(sum, 3_200, "seed {seed}");
            // Three requests in a row, each of which may have met a death: no wait for a link's idle timeout, which is 3 s.
            let slowest = *slowest.borrow();
            assert!(slowest > Duration::from_millis(300), "no leader died under a request: {slowest:?}");
            assert!(slowest < Duration::from_millis(2_500), "seed {seed}: {slowest:?}");
        });
    }
}

#[test]
fn a_leader_that_came_back_is_found_at_once_by_a_client_that_knew_its_earlier_process() {
    run_with_clients(35, |cluster| async move {
        let first = cluster.leader().await;
        let survivors: Vec<_> = NAMES.map(named).into_iter().filter(|name| *name != first).collect();
        let leads = Rc::new(RefCell::new(false));
        let simulation = cluster.simulation.clone();
        let led = leads.clone();
        let client = as_client(&simulation, "client", move |client| async move {
            let kv = client.remote_kv("kv", NAMES).expect("a handle");
            kv.put(put("k", "before"), Call::default()).await.expect("served by the first process");
            *led.borrow_mut() = true;
            while *led.borrow() {
                sleep(Duration::from_millis(5)).await;
            }
            // Whoever led meanwhile has answered too, and is asked first.
            let began = Instant::now();
            kv.put(put("k", "after"), Call::default()).await.expect("served by the second process");
            assert!(began.elapsed() < Duration::from_millis(300), "{:?}", began.elapsed());
        });
        let nodes = async {
            while !*leads.borrow() {
                sleep(Duration::from_millis(5)).await;
            }
            cluster.kill(&first);
            let second = cluster.leader().await;
            assert!(survivors.contains(&second));
            cluster.restart(&first).await;
            sleep(Duration::from_secs(6)).await;
            let kv = cluster.at(&second).kv;
            let service = kv.replicated().expect("a member has a replica");
            assert_eq!(service.transfer(Some(node_id(&first)), DEADLINE).await, Ok(node_id(&first)));
            assert_eq!(cluster.leader().await, first);
            *leads.borrow_mut() = false;
        };
        tokio::join!(client, nodes);
    });
}

/// What a node has counted under this name.
fn counted(metrics: &Metrics, name: &str) -> u64 {
    let text = metrics.render();
    let line = text.lines().find(|line| line.split([' ', '{']).next() == Some(name));
    let line = line.unwrap_or_else(|| panic!("{name} is not counted:\n{text}"));
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
}

#[test]
fn a_lone_command_costs_one_sync_on_every_node_and_many_at_once_share_theirs() {
    run(50, RaftConfig::default(), |cluster| async move {
        let kv = cluster.at(&cluster.leader().await).kv;
        let syncs = || NAMES.map(|name| counted(&cluster.at(&named(name)).metrics, "synod_log_syncs_total"));
        kv.put(put("k", "0"), Call::default()).await.unwrap();
        sleep(Duration::from_millis(200)).await;
        let before = syncs();
        for round in 0..200 {
            kv.put(put("k", round.to_string()), Call::default()).await.unwrap();
        }
        sleep(Duration::from_millis(200)).await;
        let alone = syncs();
        for (before, after) in before.iter().zip(&alone) {
            assert!(
                (200..=202).contains(&(after - before)),
                "syncs of 200 commands one by one: {}",
                after - before
            );
        }
        let many: Vec<String> = (0..64).map(|number| number.to_string()).collect();
        for _ in 0..20 {
            try_join_all(many.iter().map(|key| kv.put(put(key, "v"), Call::default()))).await.unwrap();
        }
        sleep(Duration::from_millis(200)).await;
        for (before, after) in alone.iter().zip(&syncs()) {
            assert!(after - before <= 60, "syncs of 20 times 64 commands at once: {}", after - before);
        }
    });
}

#[test]
fn a_client_has_no_replica_and_says_so() {
    run_with_clients(40, |cluster| async move {
        as_client(&cluster.simulation, "client", |client| async move {
            let kv = client.remote_kv("kv", NAMES).expect("a handle");
            kv.put(put("k", "1"), Call::default()).await.unwrap();
            assert_eq!(kv.get("k", Consistency::Stale).await.unwrap().value.unwrap().value, "1");
            assert_eq!(kv.status().await.unwrap_err().cause, KvCause::NoReplica);
            assert_eq!(kv.watch("", None).map(drop).unwrap_err().cause, KvCause::NoReplica);
            let closed = client.remote_kv("secret", NAMES).expect("a handle");
            let call = Call { deadline: Duration::from_secs(2), ..Call::default() };
            let error = closed.put(put("k", "1"), call).await.unwrap_err();
            assert_eq!(error.outcome, Outcome::NotExecuted, "{error:?}");
            assert!(client.remote_kv("kv", [""; 0]).is_err(), "a service without members");
        })
        .await;
    });
}

#[test]
fn clients_reach_a_service_only_where_it_is_opened_to_them() {
    simulate(6, &["a", "outsider"], |simulation| async move {
        let [member, outsider] = ["a", "outsider"].map(named);
        let endpoint = simulation.endpoint(&member, PORT);
        let bind = endpoint.parse().expect("an address");
        let ready = Rc::new(RefCell::new(false));
        let opened = ready.clone();
        simulation.start(&member, move |env| async move {
            let builder = Node::builder("test", "a").env(env).bind(bind).log(LogOptions::sim());
            let node = builder.open_to_clients("public").start().await.expect("the node starts");
            for service in ["counter", "public"] {
                let counter = node.replicated(service, ["a"], Counter(7)).await.expect("the counter starts");
                counter.leader().await;
            }
            *opened.borrow_mut() = true;
            std::future::pending::<()>().await;
        });
        while !*ready.borrow() {
            sleep(Duration::from_millis(5)).await;
        }
        let told = Rc::new(RefCell::new(None));
        let teller = told.clone();
        simulation.start(&outsider, move |env| async move {
            let builder = Node::client("test", "outsider").env(Env { disk: None, ..env });
            let client =
                builder.peer("a", endpoint).expect("a peer").start().await.expect("the client starts");
            while client.system().members().is_empty() {
                sleep(Duration::from_millis(5)).await;
            }
            let ask = async |service: &str| {
                let members = BTreeMap::from([(node_id(&member), member.clone())]);
                let doors = Doors::new(client.system().clone(), service, members);
                // A query in its encoded form: the form's number, then nil.
                let ask = Ask { payload: Bytes::from_static(&[1, 0xC0]), proof: Proof::Either };
                doors.query(node_id(&member), ask, DEADLINE).await
            };
            *teller.borrow_mut() = Some((ask("counter").await, ask("public").await));
        });
        while told.borrow().is_none() {
            sleep(Duration::from_millis(5)).await;
        }
        let (closed, open) = told.take().expect("it was told");
        assert_eq!(closed.expect_err("members only").outcome, Outcome::NotExecuted);
        assert_eq!(open.expect("open to clients").answer, Bytes::from_static(&[7]));
    });
}
