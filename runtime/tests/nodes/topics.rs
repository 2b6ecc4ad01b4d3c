//! Topics between whole nodes: one frame to each node with subscribers, order of each publisher, and what nodes know of each other's
//! subscribers while links are cut and processes die.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{self, Poll, Waker};
use std::time::Duration;

use synod::Node;
use synod::prelude::*;
use synod::protocols::prng::Prng;
use synod::protocols::sim::{FaultKind, NetworkConfig, Tally};
use synod::sim::{Medium, Simulation, simulate, simulate_on};
use synod::topics::{PublishError, SubscribeError};
use synod::transport::PeerName;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::ground::{builder, foul, start};

const NAMES: [&str; 3] = ["a", "b", "c"];
const SETTLED: Duration = Duration::from_secs(1);

/// The `number`th publication of a process.
#[derive(Clone, Debug, PartialEq, Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "test.News")]
struct News {
    from: u64,
    number: u64,
}

interface!(Reading = "test.reading" { News });

#[derive(Remote)]
#[remote(Reading, mailbox = 64)]
struct Reader {
    read: Arc<Mutex<Vec<u64>>>,
}

impl Actor for Reader {
    type Context = Context<Self>;
}

impl Handler<News> for Reader {
    type Result = ();

    fn handle(&mut self, news: News, _: &mut Context<Self>) {
        self.read.lock().expect("no panic").push(news.number);
    }
}

async fn start_all(simulation: &Simulation) -> Vec<Node> {
    let mut nodes = Vec::new();
    for name in simulation.names() {
        nodes.push(start(simulation, name, simulation.boot(name)).await);
    }
    nodes
}

fn news(number: u64) -> News {
    News { from: 0, number }
}

fn room(messages: usize) -> NonZeroUsize {
    NonZeroUsize::new(messages).expect("not zero")
}

#[test]
fn a_publication_is_one_frame_for_each_node_however_many_subscribe() {
    simulate(1, &NAMES, |simulation| async move {
        let nodes = start_all(&simulation).await;
        let mut readers = Vec::new();
        for (node, count) in [(&nodes[1], 100), (&nodes[2], 3)] {
            let topic = node.topic::<News>("news").expect("a proper name");
            for number in 0..count {
                let read = Arc::<Mutex<Vec<u64>>>::default();
                let told = read.clone();
                let reader = node.spawn(format!("reader/{number}"), move || Reader { read: told.clone() });
                let reader = reader.await.expect("spawned").reference::<Reading>();
                topic.subscribe(&reader).expect("it lives here");
                readers.push((reader, read));
            }
        }
        sleep(SETTLED).await;
        let topic = nodes[0].topic::<News>("news").expect("a proper name");
        let frames = || nodes[0].system().transport().metrics().frames_out;
        let before = frames();
        for number in 0..50 {
            let publication = topic.publish(news(number)).expect("published");
            assert_eq!((publication.nodes, publication.missed), (2, 0));
        }
        sleep(SETTLED).await;
        assert_eq!(frames() - before, 2 * 50, "for 103 subscribers on two nodes");
        let all: Vec<u64> = (0..50).collect();
        assert!(readers.iter().all(|(_, read)| *read.lock().expect("no panic") == all));
        let metrics = nodes[1].metrics().render();
        assert!(metrics.contains("synod_topic_delivered_total 5000\n"), "{metrics}");
        assert!(metrics.contains("synod_topic_subscribers 100\n"), "{metrics}");
    });
}

#[test]
fn whoever_has_no_room_misses_some_and_nobody_waits() {
    simulate(2, &["a"], |simulation| async move {
        let node = start_all(&simulation).await.remove(0);
        let topic = node.topic::<News>("news").expect("a proper name");
        let (mut small, mut large) = (topic.listen(room(2)), topic.listen(room(100)));
        for number in 0..10 {
            topic.publish(news(number)).expect("published");
        }
        sleep(SETTLED).await;
        topic.publish(news(10)).expect("published");
        for number in 0..=10 {
            assert_eq!(large.next().await, Some(news(number)));
        }
        assert_eq!([small.next().await, small.next().await], [Some(news(0)), Some(news(1))]);
        sleep(SETTLED).await;
        topic.publish(news(11)).expect("published");
        assert_eq!(small.next().await, Some(news(11)), "there is room again");
        let metrics = node.metrics().render();
        assert!(metrics.contains("synod_topic_dropped_total{at=\"subscriber\"} 9\n"), "{metrics}");
    });
}

#[test]
fn interest_ends_with_the_last_subscriber_by_his_word_or_his_death() {
    simulate(3, &["a", "b"], |simulation| async move {
        let nodes = start_all(&simulation).await;
        let here = nodes[0].topic::<News>("news").expect("a proper name");
        let there = nodes[1].topic::<News>("news").expect("a proper name");
        let reached = async || {
            sleep(SETTLED).await;
            let nodes = here.publish(news(0)).expect("published").nodes;
            // What is under way still arrives, whatever is done next.
            sleep(SETTLED).await;
            nodes
        };
        assert_eq!(reached().await, 0);
        let read = Arc::<Mutex<Vec<u64>>>::default();
        let told = read.clone();
        let spawned = nodes[1].spawn("reader", move || Reader { read: told.clone() }).await.expect("spawned");
        let reader = spawned.reference::<Reading>();
        there.subscribe(&reader).expect("it lives here");
        assert_eq!(there.subscribe(&reader), Err(SubscribeError::Twice));
        assert_eq!(here.subscribe(&reader), Err(SubscribeError::Elsewhere));
        assert_eq!(reached().await, 1);
        assert!(there.unsubscribe(&reader));
        assert!(!there.unsubscribe(&reader));
        assert_eq!(reached().await, 0);
        there.subscribe(&reader).expect("it lives here");
        let listening = there.listen(room(9));
        assert_eq!(reached().await, 1);
        spawned.stop();
        assert_eq!(reached().await, 1, "somebody listens");
        drop(listening);
        assert_eq!(reached().await, 0);
        sleep(SETTLED).await;
        assert_eq!(*read.lock().expect("no panic"), [0, 0]);
        // What is no publication of this kind on this node.
        assert!(nodes[0].topic::<String>("news").is_err());
        assert!(nodes[0].topic::<News>("").is_err());
        let words = nodes[0].topic::<String>("words").expect("a proper name");
        let _listening = nodes[1].topic::<String>("words").expect("a proper name").listen(room(1));
        sleep(SETTLED).await;
        assert!(matches!(words.publish("x".repeat(2 << 20)), Err(PublishError::TooLarge { .. })));
        assert_eq!(words.publish("x".repeat(1_000_000)).expect("it is small enough").nodes, 1);
    });
}

const TOPICS: [&str; 4] = ["north", "east", "south", "west"];

/// What one subscription heard, of which process which publications.
type Heard = Rc<RefCell<Vec<(u64, u64)>>>;

/// Somebody who listens, until it is ended.
struct Listener {
    topic: &'static str,
    heard: Heard,
    task: JoinHandle<()>,
}

/// One process, from its start to its end.
struct Process {
    node: Node,
    listeners: Vec<Listener>,
}

#[derive(Default)]
struct World {
    processes: RefCell<BTreeMap<PeerName, Process>>,
    starts: RefCell<u64>,
    numbers: RefCell<u64>,
    ended: RefCell<Vec<(&'static str, Heard)>>,
}

impl World {
    async fn begin(&self, simulation: &Simulation, name: &PeerName) {
        let node = start(simulation, name, simulation.boot(name)).await;
        *self.starts.borrow_mut() += 1;
        self.processes.borrow_mut().insert(name.clone(), Process { node, listeners: Vec::new() });
    }

    fn bury(&self, name: &PeerName) {
        if let Some(process) = self.processes.borrow_mut().remove(name) {
            for listener in process.listeners {
                self.part(listener);
            }
        }
    }

    fn part(&self, listener: Listener) {
        listener.task.abort();
        self.ended.borrow_mut().push((listener.topic, listener.heard));
    }

    /// Somebody subscribes, ends that, or publishes, on some node that lives.
    fn stir(&self, chance: &mut Prng) {
        let mut processes = self.processes.borrow_mut();
        let names: Vec<PeerName> = processes.keys().cloned().collect();
        let Some(process) = chance.pick(&names).and_then(|name| processes.get_mut(name)) else { return };
        let topic = *chance.pick(&TOPICS).expect("there are four");
        match chance.below(10) {
            0 => process.listeners.push(listen(&process.node, topic)),
            1 if !process.listeners.is_empty() => {
                let which = chance.below(process.listeners.len() as u64) as usize;
                let listener = process.listeners.swap_remove(which);
                self.part(listener);
            }
            _ => drop(self.publish(&process.node, topic)),
        }
    }

    fn publish(&self, node: &Node, topic: &str) -> News {
        let mut number = self.numbers.borrow_mut();
        *number += 1;
        let news = News { from: node.system().incarnation() ^ node.id().0, number: *number };
        node.topic::<News>(topic).expect("a proper name").publish(news.clone()).expect("published");
        news
    }
}

fn listen(node: &Node, topic: &'static str) -> Listener {
    let mut subscription = node.topic::<News>(topic).expect("a proper name").listen(room(1_000));
    let heard = Heard::default();
    let told = heard.clone();
    let task = tokio::task::spawn_local(async move {
        while let Some(news) = subscription.next().await {
            told.borrow_mut().push((news.from, news.number));
        }
    });
    Listener { topic, heard, task }
}

async fn strike(simulation: &Simulation, world: &World, chance: &mut Prng) {
    let name = chance.pick(simulation.names()).expect("there are three").clone();
    match chance.below(5) {
        0 => {
            simulation.kill(&name);
            world.bury(&name);
            world.begin(simulation, &name).await;
        }
        1 => simulation.partition(&[name]),
        2 => simulation.partition_one_way(&[name]),
        3 => simulation.weather(foul(chance)),
        _ => simulation.weather(NetworkConfig::calm()),
    }
}

/// A while under faults, and then everybody hears everything that is his.
fn study(seed: u64, medium: Medium) -> (usize, Tally) {
    let run = simulate_on(medium, seed, &NAMES, |simulation| async move {
        let world = World::default();
        for name in simulation.names() {
            world.begin(&simulation, name).await;
        }
        let mut chance = Prng::fork(seed, 0x70);
        for _ in 0..40 {
            for _ in 0..chance.below(60) {
                sleep(chance.duration(Duration::ZERO, Duration::from_millis(30))).await;
                world.stir(&mut chance);
            }
            strike(&simulation, &world, &mut chance).await;
        }
        simulation.weather(NetworkConfig::calm());
        sleep(Duration::from_secs(15)).await;
        settle(seed, &world).await;
        let mut count = 0;
        for name in simulation.names() {
            world.bury(name);
        }
        for (topic, heard) in world.ended.borrow().iter() {
            let mut last = BTreeMap::new();
            for &(from, number) in heard.borrow().iter() {
                let before = last.insert(from, number);
                assert!(
                    before.is_none_or(|before| before < number),
                    "seed {seed}: {topic} {number} after {before:?}"
                );
                count += 1;
            }
        }
        (count, simulation.faults())
    });
    run.value
}

/// Nothing is cut any more: what is published reaches exactly those who listen, on every node.
async fn settle(seed: u64, world: &World) {
    for topic in TOPICS {
        let published: Vec<News> =
            world.processes.borrow().values().map(|process| world.publish(&process.node, topic)).collect();
        sleep(SETTLED).await;
        for (name, process) in world.processes.borrow().iter() {
            for listener in &process.listeners {
                for news in &published {
                    let heard = listener.heard.borrow();
                    let count = heard.iter().filter(|heard| **heard == (news.from, news.number)).count();
                    let wanted = usize::from(listener.topic == topic);
                    assert_eq!(
                        count, wanted,
                        "seed {seed}: {name} listens to {} and heard {news:?} of {topic}",
                        listener.topic
                    );
                }
            }
        }
    }
}

fn studies(seeds: std::ops::Range<u64>, medium: Medium) {
    let (mut heard, mut faults) = (0, Tally::default());
    for seed in seeds {
        let (count, struck) = study(seed, medium);
        heard += count;
        faults.merge(&struck);
    }
    println!("{heard} publications were heard");
    assert!(heard > 1_000, "{heard}");
    for kind in [FaultKind::Crash, FaultKind::Partition, FaultKind::OneWayCut, FaultKind::Loss] {
        assert!(faults.count(kind).injected > 0, "{kind} never struck");
    }
}

#[test]
fn subscriptions_are_known_everywhere_once_faults_are_over() {
    studies(0..10, Medium::Memory);
}

#[test]
fn subscriptions_over_quic() {
    studies(20..22, Medium::Quic);
}

#[test]
fn a_node_that_takes_long_to_start_knows_of_subscribers_of_which_it_was_told_meanwhile() {
    simulate(4, &["a", "b"], |simulation| async move {
        let names = simulation.names();
        let subscriber = start(&simulation, &names[0], simulation.boot(&names[0])).await;
        let mut listener = subscriber.topic::<News>("news").expect("a proper name").listen(room(10));
        // Links are up before everything else of a node is; nothing of it goes on between two looks at it.
        let mut starting = Box::pin(builder(&simulation, &names[1], simulation.boot(&names[1])).start());
        let mut looks = 0;
        let publisher = loop {
            looks += 1;
            let mut once = task::Context::from_waker(Waker::noop());
            match starting.as_mut().poll(&mut once) {
                Poll::Ready(node) => break node.expect("a simulated node starts"),
                Poll::Pending => sleep(SETTLED).await,
            }
        };
        assert!(looks > 1, "it started at once");
        sleep(SETTLED).await;
        let publication = publisher.topic::<News>("news").expect("a proper name").publish(news(7));
        assert_eq!(publication.expect("published").nodes, 1);
        assert_eq!(listener.next().await, Some(news(7)));
    });
}
