//! Many replicated services on three whole nodes in virtual time: they come and go while the nodes live.

#[path = "services/counter.rs"]
mod counter;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use synod::node::{Group, Node, RaftConfig, ServiceError};
use synod::services::Outcome;
use synod::services::kv::Consistency;
use synod::services::replicated::{Change, DEADLINE, NoSuccessor, ReplicaCause, ReplicaError, Replicated};
use synod::sim::{Simulation, simulate};
use synod::storage::LogOptions;
use synod::transport::PeerName;
use tokio::time::{Instant, sleep, timeout};

use crate::counter::Counter;

const NAMES: [&str; 3] = ["a", "b", "c"];
const PORT: u16 = 7400;

#[derive(Clone)]
struct Cluster {
    simulation: Simulation,
    raft: RaftConfig,
    nodes: Rc<RefCell<BTreeMap<&'static str, Node>>>,
}

impl Cluster {
    /// Three nodes that know each other and run nothing.
    async fn new(simulation: Simulation, raft: RaftConfig) -> Self {
        let cluster = Self { simulation, raft, nodes: Rc::default() };
        for name in NAMES {
            cluster.start(name).await;
        }
        while cluster.nodes.borrow().values().any(|node| node.system().members().len() < NAMES.len() - 1) {
            sleep(Duration::from_millis(5)).await;
        }
        cluster
    }

    async fn start(&self, own: &'static str) {
        let cluster = self.clone();
        self.simulation.start(&named(own), move |env| async move {
            let endpoint = |name| cluster.simulation.endpoint(&named(name), PORT);
            let bind = endpoint(own).parse().expect("an address");
            let log = LogOptions { segment_bytes: 4 << 20, ..LogOptions::sim() };
            let mut builder = Node::builder("test", own).env(env).bind(bind).log(log).raft(cluster.raft);
            for peer in NAMES.into_iter().filter(|peer| *peer != own) {
                builder = builder.peer(peer, endpoint(peer)).expect("a peer");
            }
            let node = builder.start().await.expect("the node starts");
            cluster.nodes.borrow_mut().insert(own, node);
            // The node lives until its process is killed.
            std::future::pending::<()>().await;
        });
        while !self.nodes.borrow().contains_key(own) {
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn kill(&self, name: &str) {
        self.nodes.borrow_mut().remove(name);
        assert!(self.simulation.kill(&named(name)));
    }

    fn node(&self, name: &str) -> Node {
        self.nodes.borrow()[name].clone()
    }

    /// Runs a service on every node that lives.
    async fn run(&self, service: &str) -> Vec<Replicated<Counter>> {
        let nodes: Vec<Node> = self.nodes.borrow().values().cloned().collect();
        let started = nodes.iter().map(|node| node.replicated(service, NAMES, Counter::default()));
        try_join_all(started).await.expect("the service starts")
    }
}

/// Protocol messages that a node has sent, of one protocol.
fn sent(node: &Node, protocol: &str) -> u64 {
    let wanted = format!("synod_driver_messages_sent_total{{protocol=\"{protocol}\"}} ");
    let text = node.metrics().render();
    text.lines().find_map(|line| line.strip_prefix(&wanted)?.parse().ok()).unwrap_or(0)
}

/// A cluster that runs `count` groups, of which all are known to work.
async fn working(cluster: &Cluster, count: usize) -> Vec<Vec<Replicated<Counter>>> {
    let names: Vec<String> = (0..count).map(|number| format!("group-{number}")).collect();
    let groups = join_all(names.iter().map(|name| cluster.run(name))).await;
    try_join_all(groups.iter().map(|group| group[0].execute(&1, DEADLINE))).await.expect("they count");
    groups
}

fn sleepy() -> RaftConfig {
    RaftConfig { hibernate_after: Some(Duration::from_secs(1)), ..RaftConfig::default() }
}

fn named(name: &str) -> PeerName {
    PeerName::new(name).expect("a name")
}

fn run<F: Future<Output = ()>>(seed: u64, raft: RaftConfig, test: impl FnOnce(Cluster) -> F) {
    simulate(seed, &NAMES, |simulation| async move { test(Cluster::new(simulation, raft).await).await });
}

#[test]
fn services_begin_at_any_time_and_many_at_once() {
    run(1, RaftConfig::default(), |cluster| async move {
        let names: Vec<String> = (0..200).map(|number| format!("group-{number}")).collect();
        let groups = join_all(names.iter().map(|name| cluster.run(name))).await;
        let began = Instant::now();
        let counts =
            groups.iter().enumerate().map(|(at, group)| group[at % NAMES.len()].execute(&3, DEADLINE));
        assert_eq!(try_join_all(counts).await.expect("they count"), vec![3; groups.len()]);
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        let again = cluster.node("a").replicated("group-7", NAMES, Counter::default()).await;
        assert!(matches!(again, Err(ServiceError::Create(_))), "{again:?}");
    });
}

#[test]
fn a_service_is_removed_under_load_and_does_not_come_back() {
    run(2, RaftConfig::default(), |cluster| async move {
        let (doomed, other) = (cluster.run("doomed").await, cluster.run("other").await);
        assert_eq!(doomed[0].execute(&1, DEADLINE).await, Ok(1));
        let load = |group: Vec<Replicated<Counter>>| async move {
            let mut results = Vec::new();
            for round in 0..40 {
                let patience = Duration::from_millis(500);
                results.push(group[round % group.len()].execute_unsessioned(&1, patience).await);
            }
            results
        };
        let remove = async |name: &str| {
            sleep(Duration::from_millis(30)).await;
            cluster.node(name).remove_replicated("doomed").await
        };
        let (results, unharmed, removed) = tokio::join!(
            load(doomed.clone()),
            load(other.clone()),
            join_all(NAMES.iter().map(|name| remove(name))),
        );
        assert!(removed.iter().all(|removed| matches!(removed, Ok(true))), "{removed:?}");
        assert!(unharmed.iter().all(Result::is_ok), "{unharmed:?}");
        let (good, bad): (Vec<_>, Vec<_>) = results.iter().partition(|result| result.is_ok());
        assert!(good.len() > 2 && bad.len() > 20, "{} and {}", good.len(), bad.len());
        let last = doomed[0].execute(&1, Duration::from_secs(1)).await.expect_err("it is gone");
        assert_eq!(last.outcome, Outcome::NotExecuted, "{last:?}");

        // Neither in this process nor in the next one, whatever is asked for.
        let refused = |result: Result<Replicated<Counter>, ServiceError>| {
            assert!(matches!(&result, Err(ServiceError::Removed(name)) if name == "doomed"), "{result:?}");
        };
        refused(cluster.node("a").replicated("doomed", NAMES, Counter::default()).await);
        assert!(matches!(cluster.node("a").remove_replicated("doomed").await, Ok(false)));
        cluster.kill("a");
        cluster.start("a").await;
        refused(cluster.node("a").replicated("doomed", NAMES, Counter::default()).await);
        let back =
            cluster.node("a").replicated("other", NAMES, Counter::default()).await.expect("it is there");
        let count = back.execute(&0, DEADLINE).await;
        assert_eq!(count, other[1].execute(&0, DEADLINE).await);
        assert!(count.is_ok_and(|count| count == 40));
    });
}

#[test]
fn members_that_keep_a_service_go_on_without_the_one_that_removes_it() {
    run(3, RaftConfig::default(), |cluster| async move {
        let group = cluster.run("kept").await;
        assert_eq!(group[0].execute(&1, DEADLINE).await, Ok(1));
        let leader = group[0].leader().await;
        let (name, _) = NAMES
            .into_iter()
            .map(|name| (name, cluster.node(name).id()))
            .find(|(_, id)| *id == leader)
            .expect("one of three");
        assert!(matches!(cluster.node(name).remove_replicated("kept").await, Ok(true)));
        for (member, handle) in NAMES.iter().zip(&group).filter(|(member, _)| **member != name) {
            let began = Instant::now();
            assert!(handle.execute(&1, DEADLINE).await.is_ok(), "{member}");
            assert!(began.elapsed() < Duration::from_secs(1), "leadership was handed over");
        }
    });
}

#[test]
fn a_node_with_many_services_ends_within_its_grace() {
    run(4, RaftConfig::default(), |cluster| async move {
        let names: Vec<String> = (0..300).map(|number| format!("group-{number}")).collect();
        let groups = join_all(names.iter().map(|name| cluster.run(name))).await;
        try_join_all(groups.iter().map(|group| group[0].execute(&1, DEADLINE))).await.expect("they count");
        let ended = timeout(Duration::from_secs(2), cluster.node("a").shutdown(Duration::from_secs(5))).await;
        assert!(ended.is_ok(), "handed over one by one");
        let calls = groups.iter().map(|group| group[1].execute(&1, Duration::from_millis(600)));
        let late = join_all(calls).await.into_iter().filter(Result::is_err).count();
        assert_eq!(late, 0, "nobody had to wait for an election");
    });
}

#[test]
fn idle_groups_say_nothing_and_their_nodes_one_beat_a_pair_and_interval() {
    run(5, sleepy(), |cluster| async move {
        let groups = working(&cluster, 200).await;
        sleep(Duration::from_secs(5)).await;
        let nodes: Vec<Node> = cluster.nodes.borrow().values().cloned().collect();
        let count = |protocol: &str| nodes.iter().map(|node| sent(node, protocol)).sum::<u64>();
        let (raft, beats) = (count("raft"), count("liveness"));
        sleep(Duration::from_secs(60)).await;
        assert_eq!(count("raft"), raft, "not one message in a minute");
        // Three pairs, two directions, one beat each 50 ms.
        let beats = count("liveness") - beats;
        assert!((7_000..=7_210).contains(&beats), "{beats} beats");

        let began = Instant::now();
        assert_eq!(groups[17][1].execute(&1, DEADLINE).await, Ok(2));
        assert!(began.elapsed() < Duration::from_millis(100), "woken in {:?}", began.elapsed());
        assert_eq!(groups[18][2].query(&(), DEADLINE).await.expect("answered").0, 1);
    });
}

#[test]
fn groups_that_do_not_sleep_keep_no_pair_busy() {
    let awake = RaftConfig { hibernate_after: None, ..RaftConfig::default() };
    run(6, awake, |cluster| async move {
        working(&cluster, 3).await;
        sleep(Duration::from_secs(20)).await;
        assert!(NAMES.iter().all(|name| sent(&cluster.node(name), "liveness") == 0), "nobody wanted to know");
        let before = sent(&cluster.node("a"), "raft");
        sleep(Duration::from_secs(5)).await;
        assert!(sent(&cluster.node("a"), "raft") > before + 200);
    });
}

#[test]
fn sleeping_groups_whose_leader_dies_have_another_one_within_seconds() {
    run(7, sleepy(), |cluster| async move {
        let groups = working(&cluster, 60).await;
        sleep(Duration::from_secs(5)).await;
        let dead = cluster.node("a").id();
        let led = join_all(groups.iter().map(|group| group[1].leader())).await;
        let led = led.into_iter().filter(|leader| *leader == dead).count();
        assert!(led > 5, "the node leads {led} of 60 groups");
        cluster.kill("a");
        sleep(Duration::from_millis(1_500)).await;
        // Elected without anybody asking: the silence of the node woke them.
        let leaders = join_all(groups.iter().map(|group| group[1].leader())).await;
        assert!(leaders.iter().all(|leader| *leader != dead), "{leaders:?}");
        let calls = groups.iter().map(|group| group[2].execute(&1, Duration::from_millis(500)));
        assert_eq!(try_join_all(calls).await.expect("all work"), vec![2; 60]);
    });
}

/// RT-47: machines that are made in a loop must not do everything at one moment for ever.
#[test]
fn rt_47_a_thousand_groups_made_at_once_do_not_tick_together() {
    let awake = RaftConfig { hibernate_after: None, ..RaftConfig::default() };
    run(8, awake, |cluster| async move {
        working(&cluster, 1_000).await;
        sleep(Duration::from_secs(2)).await;
        let node = cluster.node("a");
        let mut windows = Vec::new();
        for _ in 0..100 {
            let before = sent(&node, "raft");
            sleep(Duration::from_millis(10)).await;
            windows.push(sent(&node, "raft") - before);
        }
        let (most, sum) = (windows.iter().max().copied().unwrap_or(0), windows.iter().sum::<u64>());
        // In a second of 20 heartbeats: 1,000 groups times two messages times 20, on three nodes together twice that.
        assert!(sum > 10_000, "{sum} messages");
        assert!(most < sum / 25, "{most} of {sum} messages within 10 ms: {windows:?}");
    });
}

/// A service of which `founders` are the members at first, on every node that lives.
async fn run_by(cluster: &Cluster, group: &Group) -> BTreeMap<&'static str, Replicated<Counter>> {
    let mut replicas = BTreeMap::new();
    for name in NAMES.into_iter().filter(|name| cluster.nodes.borrow().contains_key(name)) {
        let started = cluster.node(name).replicated_by("count", group, Counter::default()).await;
        replicas.insert(name, started.expect("the service starts"));
    }
    replicas
}

fn numbers(names: &[&str]) -> std::collections::BTreeSet<synod::protocols::NodeId> {
    names.iter().map(|name| synod::address::node_id(&named(name))).collect()
}

fn voters(names: &[&str]) -> Change {
    Change { voters: numbers(names), ..Change::default() }
}

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn members_come_and_go_and_the_leader_goes_too() {
    simulate(31, &NAMES, |simulation| async move {
        let cluster = Cluster::new(simulation, RaftConfig::default()).await;
        let replicas = run_by(&cluster, &Group::of(["a", "b"]).others(["c"])).await;
        replicas["a"].execute(&5, DEADLINE).await.expect("two of two");
        replicas["b"].change_members(&voters(&["a", "b", "c"]), PATIENCE).await.expect("c is taken in");
        assert_eq!(replicas["c"].query_here((), DEADLINE).await.expect("c has it all").0, 5);

        let leader = replicas["a"].leader().await;
        let stays: Vec<&str> =
            NAMES.into_iter().filter(|name| synod::address::node_id(&named(name)) != leader).collect();
        replicas["a"].change_members(&voters(&stays), PATIENCE).await.expect("the leader goes");
        let status = replicas[stays[0]].status().await.expect("a status");
        assert_eq!(status.voters, numbers(&stays));
        // Both that are left are needed and enough.
        replicas[stays[0]].execute(&7, DEADLINE).await.expect("a new leader");
        assert_eq!(replicas[stays[1]].query_here((), DEADLINE).await.expect("a read").0, 12);
    });
}

#[test]
fn leadership_is_handed_over_from_anywhere_and_never_to_who_cannot_lead() {
    simulate(34, &NAMES, |simulation| async move {
        let cluster = Cluster::new(simulation, RaftConfig::default()).await;
        let replicas = run_by(&cluster, &Group::of(["a", "b"]).others(["c"])).await;
        replicas["a"].execute(&5, DEADLINE).await.expect("two of two");
        let number = |name: &str| synod::address::node_id(&named(name));
        let leader = replicas["a"].leader().await;
        let (first, second) = if leader == number("a") { ("a", "b") } else { ("b", "a") };
        let asked =
            async |name: &str, to: Option<&str>| replicas[name].transfer(to.map(number), DEADLINE).await;
        assert_eq!(asked(second, Some(second)).await, Ok(number(second)), "asked of who shall lead");
        assert_eq!(asked("c", Some(first)).await, Ok(number(first)), "asked of who is no member");
        assert_eq!(asked(second, Some(first)).await, Ok(number(first)), "who leads already");
        assert_eq!(asked(first, None).await, Ok(number(second)));
        let refused = |reason| Err(ReplicaError::not_executed(ReplicaCause::Successor(reason)));
        assert_eq!(asked(first, Some("c")).await, refused(NoSuccessor::Stranger(number("c"))));
        let change = Change { learners: numbers(&["c"]), ..voters(&["a", "b"]) };
        replicas["a"].change_members(&change, PATIENCE).await.expect("c learns");
        let learner = asked("c", Some("c")).await;
        assert_eq!(learner, refused(NoSuccessor::Learner(number("c"))));
        let alone = Change { learners: numbers(&[second, "c"]), ..voters(&[first]) };
        replicas["a"].change_members(&alone, PATIENCE).await.expect("one decides");
        assert_eq!(asked(second, None).await, refused(NoSuccessor::Nobody));
        replicas["c"].execute(&7, DEADLINE).await.expect("the leader goes on");
    });
}

#[test]
fn a_read_is_confirmed_by_a_round_where_its_caller_wants_it_and_under_a_lease_otherwise() {
    run(35, RaftConfig { lease_reads: true, ..RaftConfig::default() }, |cluster| async move {
        let nodes: Vec<Node> = cluster.nodes.borrow().values().cloned().collect();
        let maps = try_join_all(nodes.iter().map(|node| node.kv("map", NAMES))).await.expect("a map");
        maps[0].get("k", Consistency::Linearizable).await.expect("a leader");
        sleep(Duration::from_secs(2)).await;
        let leader = maps[0].status().await.expect("a status").leader.expect("a leader");
        let leads = NAMES.iter().position(|name| synod::address::node_id(&named(name)) == leader);
        let (node, map) = leads.map(|at| (&nodes[at], &maps[at])).expect("one of them");
        let said = async |consistency| {
            let before = sent(node, "raft");
            for _ in 0..50 {
                map.get("k", consistency).await.expect("a read");
            }
            sent(node, "raft") - before
        };
        assert!(said(Consistency::Linearizable).await < 10, "nobody was asked but by heartbeats");
        assert!(said(Consistency::Confirmed).await >= 100, "both others were asked each time");
        assert_eq!(said(Consistency::Stale).await, 0);
    });
}

#[test]
fn whoever_is_no_member_passes_on_what_it_is_asked() {
    simulate(35, &NAMES, |simulation| async move {
        let cluster = Cluster::new(simulation, RaftConfig::default()).await;
        let group = Group::of(["a", "b"]).others(["c"]);
        let replicas = run_by(&cluster, &group).await;
        // It waits to be taken in, and never heard of a leader.
        assert_eq!(replicas["c"].execute(&1, DEADLINE).await, Ok(1));
        assert_eq!(replicas["c"].query(&(), DEADLINE).await.map(|(count, _)| count), Ok(1));
        replicas["c"].change_members(&voters(&["b", "c"]), PATIENCE).await.expect("it can be asked that too");
        // It was a member, and the leader it knew may be none any more.
        assert_eq!(replicas["a"].execute(&1, DEADLINE).await, Ok(2));
        let leader = replicas["b"].leader().await;
        let leader =
            ["b", "c"].into_iter().find(|name| numbers(&[name]).contains(&leader)).expect("one of them");
        cluster.kill(leader);
        cluster.start(leader).await;
        let node = cluster.node(leader);
        node.replicated_by("count", &group, Counter::default()).await.expect("it starts");
        assert_eq!(replicas["a"].query(&(), PATIENCE).await.map(|(count, _)| count), Ok(2));
        assert_eq!(replicas["a"].execute(&1, PATIENCE).await, Ok(3));
    });
}

#[test]
fn a_set_that_nobody_could_lead_is_refused_and_changes_nothing() {
    simulate(32, &NAMES, |simulation| async move {
        let cluster = Cluster::new(simulation, RaftConfig::default()).await;
        let replicas = run_by(&cluster, &Group::of(NAMES)).await;
        replicas["a"].execute(&1, DEADLINE).await.expect("a leader");
        let bad = [
            Change { learners: numbers(&NAMES), ..Change::default() },
            Change { witnesses: numbers(&["b", "c"]), ..voters(&["a"]) },
            Change { learners: numbers(&["a"]), ..voters(&["a", "b"]) },
            Change { replace: numbers(&["c"]), ..voters(&NAMES) },
        ];
        for change in bad {
            let refused = replicas["b"].change_members(&change, PATIENCE).await.expect_err("no group");
            assert_eq!(refused.outcome, Outcome::NotExecuted, "{change:?}: {refused}");
        }
        assert_eq!(replicas["a"].status().await.expect("a status").voters, numbers(&NAMES));
    });
}

#[test]
fn a_member_with_an_empty_disk_counts_for_nothing_until_it_is_replaced() {
    simulate(33, &NAMES, |simulation| async move {
        let cluster = Cluster::new(simulation.clone(), RaftConfig::default()).await;
        let replicas = run_by(&cluster, &Group::of(NAMES)).await;
        replicas["a"].execute(&3, DEADLINE).await.expect("a leader");
        let named_all = || async {
            let status = replicas["a"].status().await.expect("a status");
            status.membership.members().values().all(|member| member.store.is_some())
        };
        while !named_all().await {
            sleep(Duration::from_millis(50)).await;
        }
        cluster.kill("c");
        assert!(simulation.replace_disk(&named("c")));
        cluster.start("c").await;
        let again =
            cluster.node("c").replicated("count", NAMES, Counter::default()).await.expect("it starts");
        replicas["a"].execute(&4, DEADLINE).await.expect("two of three");
        sleep(Duration::from_secs(2)).await;
        // With one more gone the majority is gone too, however loudly c says yes.
        cluster.kill("b");
        let alone = replicas["a"].execute(&100, Duration::from_secs(5)).await;
        assert!(alone.is_err(), "an emptied disk helped to decide: {alone:?}");
        cluster.start("b").await;
        let back = cluster.node("b").replicated("count", NAMES, Counter::default()).await.expect("it starts");
        back.execute(&1, PATIENCE).await.expect("two of three again");

        // Whoever leads has to have heard c from its new disk.
        sleep(Duration::from_secs(1)).await;
        let anew = Change { replace: numbers(&["c"]), ..voters(&NAMES) };
        back.change_members(&anew, PATIENCE).await.expect("c is taken in anew");
        let (count, _) = again.query_here((), DEADLINE).await.expect("c has it all");
        assert!(count == 8 || count == 108, "{count}");
        cluster.kill("b");
        replicas["a"].execute(&1, PATIENCE).await.expect("a and c decide");
    });
}

#[test]
fn a_witness_decides_without_data_and_finds_its_log_again() {
    simulate(34, &NAMES, |simulation| async move {
        let raft = RaftConfig { snapshot_entries: 20, keep_entries: 5, ..RaftConfig::default() };
        let cluster = Cluster::new(simulation, raft).await;
        let group = Group::of(["a", "b"]).witnesses(["c"]);
        let replicas = run_by(&cluster, &group).await;
        for _ in 0..60 {
            replicas["a"].execute(&1, DEADLINE).await.expect("a leader");
        }
        sleep(Duration::from_secs(1)).await;
        let witness = replicas["c"].status().await.expect("a status");
        assert!(
            witness.first_index.0 > 20 && witness.applied.0 == 0,
            "it forgets what it need not know: {witness:?}"
        );
        cluster.kill("c");
        cluster.start("c").await;
        let again =
            cluster.node("c").replicated_by("count", &group, Counter::default()).await.expect("it starts");
        assert!(again.status().await.expect("a status").first_index >= witness.first_index);
        cluster.kill("b");
        for _ in 0..40 {
            replicas["a"].execute(&1, PATIENCE).await.expect("one with the data, and the witness");
        }
        assert_eq!(replicas["a"].query_here((), DEADLINE).await.expect("a read").0, 100);
    });
}
