//! Queues between whole nodes while links are cut, the weather is bad, processes stop for a while and are killed at both ends: what was
//! accepted is confirmed by a handler, in order where there is one, and no receiver that lives is handed what it has confirmed.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use synod::Node;
use synod::delivery::{Order, ReceiveError, SendError, Sequence, StreamId};
use synod::env::Env;
use synod::prelude::*;
use synod::protocols::prng::Prng;
use synod::protocols::sim::{FaultKind, NetworkConfig, Tally};
use synod::sim::{Medium, Simulation, simulate, simulate_on};
use synod::transport::PeerName;
use tokio::time::{Instant, sleep, timeout};

use crate::ground::{Disturbance, disturb, start};

const NAMES: [&str; 3] = ["a", "b", "c"];
const UNDER_FAULTS: Duration = Duration::from_secs(45);
const QUEUE: &str = "orders";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Purchase {
    number: u64,
    text: String,
}

fn purchase(number: u64) -> Purchase {
    Purchase { number, text: "x".repeat((number % 200) as usize) }
}

type Place = (StreamId, Sequence);

/// What one receiver was handed, from its start to its end.
#[derive(Default)]
struct Receiver {
    last: Option<Place>,
    confirmed: BTreeSet<Place>,
}

/// What happened, told by senders and handlers.
#[derive(Default)]
struct Book {
    over: Cell<bool>,
    next: Cell<u64>,
    accepted: RefCell<BTreeMap<Place, u64>>,
    streams: RefCell<BTreeSet<StreamId>>,
    confirmed: RefCell<BTreeSet<Place>>,
    handed: Cell<u64>,
    again: Cell<u64>,
    sender: RefCell<Option<Node>>,
}

#[derive(Clone, Copy)]
struct Plan {
    order: Order,
    durable: bool,
}

impl Plan {
    fn sender(self) -> SenderOptions {
        let options = match self.order {
            Order::Sequential => SenderOptions::in_order(),
            Order::Jobs => SenderOptions::jobs(),
        };
        // So few that senders wait while receivers are away, and that the rest is through soon when peace comes.
        let few = NonZeroU32::new(60).expect("not zero");
        let options = options.unconfirmed_max(few, NonZeroU32::new(100_000).expect("not zero"));
        if self.durable { options.durable() } else { options }
    }

    fn receiver(self) -> ReceiverOptions {
        match self.order {
            Order::Sequential => ReceiverOptions::one_at_a_time(),
            Order::Jobs => ReceiverOptions::at_once(NonZeroU32::new(3).expect("not zero")),
        }
    }
}

/// A process: the first one sends, the others take.
async fn live(simulation: Simulation, book: Rc<Book>, plan: Plan, name: PeerName, env: Env) {
    let node = start(&simulation, &name, env).await;
    let incarnation = node.system().incarnation();
    let chance = Prng::fork(simulation.seed(), incarnation ^ node.id().0);
    if name.as_str() == "a" {
        book.sender.replace(Some(node.clone()));
        send(&book, plan, &node, chance).await;
    } else {
        take(simulation.seed(), &book, plan, &node, chance).await;
    }
}

async fn send(book: &Book, plan: Plan, node: &Node, mut chance: Prng) {
    let sender = node.reliable_sender::<Purchase>(QUEUE, plan.sender()).await.expect("opened once");
    book.streams.borrow_mut().insert(sender.stream());
    while !book.over.get() {
        sleep(chance.duration(Duration::ZERO, Duration::from_millis(30))).await;
        let number = book.next.get();
        book.next.set(number + 1);
        let sent = match chance.below(3) {
            0 => sender.try_send(purchase(number)).await,
            // A sender that gives up leaves it open whether its message was accepted.
            _ => match timeout(Duration::from_secs(2), sender.send(purchase(number))).await {
                Ok(sent) => sent,
                Err(_late) => continue,
            },
        };
        match sent {
            Ok(sequence) => {
                let before = book.accepted.borrow_mut().insert((sender.stream(), sequence), number);
                assert_eq!(before, None, "{sequence:?} was given out twice");
            }
            Err(error) => assert_eq!(error, SendError::Full),
        }
    }
    std::future::pending::<()>().await;
}

async fn take(seed: u64, book: &Rc<Book>, plan: Plan, node: &Node, mut chance: Prng) {
    let own = Rc::<RefCell<Receiver>>::default();
    let mut receiver = node.reliable_receiver::<Purchase>(QUEUE, plan.receiver()).await.expect("opened once");
    loop {
        let delivered = match receiver.next().await {
            Ok(delivered) => delivered,
            Err(ReceiveError::Ended) => return,
            Err(error) => panic!("seed {seed}: {error}"),
        };
        let place = (delivered.stream(), delivered.sequence());
        book.handed.set(book.handed.get() + 1);
        book.again.set(book.again.get() + u64::from(delivered.attempt() > 0));
        let told = book.accepted.borrow().get(&place).copied();
        assert!(
            told.is_none_or(|number| *delivered == purchase(number)),
            "seed {seed}: {delivered:?} is another"
        );
        {
            let mut own = own.borrow_mut();
            assert!(!own.confirmed.contains(&place), "seed {seed}: {delivered:?} after it was confirmed");
            if plan.order == Order::Sequential {
                let last = own.last.replace(place).filter(|last| last.0 == place.0);
                assert!(last.is_none_or(|last| last <= place), "seed {seed}: {delivered:?} after {last:?}");
                let first = last.map_or(Sequence(1), |last| last.1).0;
                let confirmed = book.confirmed.borrow();
                let all = (first..place.1.0).all(|before| confirmed.contains(&(place.0, Sequence(before))));
                assert!(all, "seed {seed}: {delivered:?} came before its turn");
            }
        }
        let (takes, done) =
            (chance.duration(Duration::ZERO, Duration::from_millis(20)), chance.below(10) > 0);
        let (own, book) = (own.clone(), book.clone());
        let handle = async move {
            sleep(takes).await;
            if done {
                own.borrow_mut().confirmed.insert(place);
                book.confirmed.borrow_mut().insert(place);
                delivered.confirm();
            }
        };
        match plan.order {
            Order::Sequential => handle.await,
            Order::Jobs => drop(tokio::task::spawn_local(handle)),
        }
    }
}

async fn strike(simulation: &Simulation, book: &Rc<Book>, plan: Plan) {
    let mut chance = Prng::fork(simulation.seed(), 0xFA);
    let until = Instant::now() + UNDER_FAULTS;
    while Instant::now() < until {
        sleep(chance.duration(Duration::from_millis(200), Duration::from_secs(2))).await;
        let names = simulation.names();
        let Some(name) = chance.pick(names).cloned() else { return };
        // Within the patience of senders and beyond it.
        let lasts = chance.duration(Duration::from_millis(50), Duration::from_secs(8));
        match chance.below(6) {
            0 | 1 if plan.durable || name.as_str() != "a" => {
                simulation.kill(&name);
                sleep(lasts / 4).await;
                begin(simulation, book, plan, &name);
            }
            2 => disturb(simulation, &mut chance, name, Disturbance::Pause, lasts).await,
            3 => disturb(simulation, &mut chance, name, Disturbance::Partition, lasts).await,
            4 => disturb(simulation, &mut chance, name, Disturbance::OneWay, lasts).await,
            _ => disturb(simulation, &mut chance, name, Disturbance::Weather, lasts).await,
        }
        sleep(lasts).await;
        simulation.weather(NetworkConfig::calm());
    }
}

fn begin(simulation: &Simulation, book: &Rc<Book>, plan: Plan, name: &PeerName) {
    let (inside, book, own) = (simulation.clone(), book.clone(), name.clone());
    simulation.start(name, move |env| live(inside, book, plan, own, env));
}

/// What a run came to: messages accepted, handed out, handed out again by the same receiver.
type Delivering = (usize, u64, u64);

fn deliver(seed: u64, medium: Medium, plan: Plan) -> (Delivering, Tally) {
    let run = simulate_on(medium, seed, &NAMES, |simulation| async move {
        let book = Rc::<Book>::default();
        for name in simulation.names() {
            begin(&simulation, &book, plan, name);
        }
        strike(&simulation, &book, plan).await;
        book.over.set(true);
        sleep(Duration::from_secs(40)).await;
        let accepted = book.accepted.borrow();
        let confirmed = book.confirmed.borrow();
        for (place, number) in accepted.iter() {
            assert!(confirmed.contains(place), "seed {seed}: {number} at {place:?} was lost");
        }
        assert!(!plan.durable || book.streams.borrow().len() == 1, "seed {seed}: a stream was forgotten");
        let metrics = book.sender.borrow().as_ref().expect("it was started").metrics().render();
        let none_left = format!("synod_delivery_unconfirmed{{queue=\"{QUEUE}\"}} 0\n");
        assert!(metrics.contains(&none_left), "seed {seed}: the sender does not know");
        ((accepted.len(), book.handed.get(), book.again.get()), simulation.faults())
    });
    run.value
}

fn deliveries(seeds: std::ops::Range<u64>, medium: Medium, plan: Plan) {
    let mut faults = Tally::default();
    let (mut accepted, mut handed, mut again) = (0, 0, 0);
    for seed in seeds {
        let (sums, struck) = deliver(seed, medium, plan);
        faults.merge(&struck);
        accepted += sums.0;
        handed += sums.1;
        again += sums.2;
    }
    println!("{accepted} accepted, {handed} handed out, {again} given back");
    assert!(accepted > 500 && handed > accepted as u64 && again > 50, "{accepted} {handed} {again}");
    for kind in
        [FaultKind::Crash, FaultKind::Pause, FaultKind::Partition, FaultKind::OneWayCut, FaultKind::Loss]
    {
        assert!(faults.count(kind).injected > 0, "{kind} never struck");
    }
}

#[test]
fn in_order_from_a_sender_that_dies_to_receivers_that_die() {
    deliveries(0..5, Medium::Memory, Plan { order: Order::Sequential, durable: true });
}

#[test]
fn in_order_from_memory() {
    deliveries(10..14, Medium::Memory, Plan { order: Order::Sequential, durable: false });
}

#[test]
fn jobs_of_workers_that_die_go_to_others() {
    deliveries(20..25, Medium::Memory, Plan { order: Order::Jobs, durable: true });
}

#[test]
fn queues_over_quic() {
    deliveries(30..32, Medium::Quic, Plan { order: Order::Sequential, durable: true });
}

#[test]
fn the_same_seed_is_the_same_delivery() {
    let plan = Plan { order: Order::Jobs, durable: true };
    assert_eq!(deliver(100, Medium::Memory, plan).0, deliver(100, Medium::Memory, plan).0);
}

/// An actor that panics at every third message when it first sees it.
struct Clerk {
    done: Arc<Mutex<Vec<u64>>>,
    panics: Arc<AtomicU64>,
}

#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "test.Idle")]
struct Idle;

interface!(Clerks = "test.clerks" { Idle });

#[derive(Remote)]
#[remote(Clerks, restart(1000, "1s"))]
struct Supervised {
    clerk: Clerk,
}

impl Actor for Supervised {
    type Context = Context<Self>;
}

impl Handler<Idle> for Supervised {
    type Result = ();
    fn handle(&mut self, Idle: Idle, _: &mut Context<Self>) {}
}

impl Handler<Delivered<Purchase>> for Supervised {
    type Result = ();

    fn handle(&mut self, delivered: Delivered<Purchase>, _: &mut Context<Self>) {
        if delivered.number.is_multiple_of(3) && delivered.attempt() == 0 {
            self.clerk.panics.fetch_add(1, Ordering::Relaxed);
            panic!("on purpose");
        }
        self.clerk.done.lock().expect("the lock is not held over a panic").push(delivered.number);
        delivered.confirm();
    }
}

#[test]
fn an_actor_that_panics_at_a_message_is_handed_it_again_in_its_turn() {
    simulate(1, &["a"], |simulation| async move {
        let name = simulation.names()[0].clone();
        let node = start(&simulation, &name, simulation.boot(&name)).await;
        let (done, panics) = (Arc::<Mutex<Vec<u64>>>::default(), Arc::<AtomicU64>::default());
        let (told, struck) = (done.clone(), panics.clone());
        let make = move || Supervised { clerk: Clerk { done: told.clone(), panics: struck.clone() } };
        let clerk = node.spawn("clerk", make).await.expect("spawned");
        let receiver = node.reliable_receiver(QUEUE, ReceiverOptions::one_at_a_time()).await.expect("opened");
        receiver.hand_to(clerk.address().clone().recipient());
        let few = NonZeroU32::new(5).expect("not zero");
        let options =
            SenderOptions::in_order().unconfirmed_max(few, NonZeroU32::new(10_000).expect("not zero"));
        let sender = node.reliable_sender::<Purchase>(QUEUE, options).await.expect("opened");
        let mut last = Sequence(0);
        for number in 0..30 {
            // Waits for room while the clerk is at it.
            last = sender.send(purchase(number)).await.expect("accepted");
        }
        sender.confirmed(last).await.expect("the last one is confirmed");
        assert_eq!(*done.lock().expect("no panic"), (0..30).collect::<Vec<_>>());
        assert_eq!(panics.load(Ordering::Relaxed), 10);
        // The actor stops: what it leaves waits for another receiver, and room is bounded meanwhile.
        clerk.stop();
        sleep(Duration::from_millis(10)).await;
        let mut accepted = 0;
        while sender.try_send(purchase(accepted)).await.is_ok() {
            accepted += 1;
        }
        assert_eq!(accepted, 5);
        sleep(Duration::from_secs(2)).await;
        let taken = node.reliable_receiver::<Purchase>(QUEUE, ReceiverOptions::one_at_a_time()).await;
        let mut receiver = taken.expect("the actor's receiver has left");
        assert!(node.reliable_receiver::<Purchase>(QUEUE, ReceiverOptions::one_at_a_time()).await.is_err());
        for number in 0..5 {
            let delivered = receiver.next().await.expect("delivered");
            assert_eq!(delivered.number, number);
            delivered.confirm();
        }
        let large = Purchase { number: 0, text: "x".repeat(20_000) };
        assert!(matches!(sender.send(large).await, Err(SendError::TooLarge { .. })));
        assert!(node.reliable_sender::<Purchase>(QUEUE, SenderOptions::jobs()).await.is_err());
    });
}

#[test]
fn a_message_that_cannot_be_read_is_kept_until_somebody_can() {
    simulate(2, &["a"], |simulation| async move {
        let name = simulation.names()[0].clone();
        let node = start(&simulation, &name, simulation.boot(&name)).await;
        let sender = node.reliable_sender::<String>(QUEUE, SenderOptions::in_order()).await.expect("opened");
        let first = sender.send("one".to_owned()).await.expect("accepted");
        {
            let receiver = node.reliable_receiver::<u64>(QUEUE, ReceiverOptions::one_at_a_time()).await;
            let error = receiver.expect("opened").next().await.expect_err("it is no number");
            assert!(matches!(error, ReceiveError::Unreadable { .. }));
        }
        let receiver = node.reliable_receiver::<String>(QUEUE, ReceiverOptions::one_at_a_time()).await;
        let mut receiver = receiver.expect("opened");
        let delivered = receiver.next().await.expect("delivered");
        assert_eq!((&**delivered, delivered.sequence(), delivered.stream()), ("one", first, sender.stream()));
        delivered.confirm();
        sender.confirmed(first).await.expect("confirmed");
    });
}

#[test]
fn a_receiver_is_not_handed_what_the_one_before_it_had_and_then_again_what_it_confirmed() {
    simulate(3, &["a"], |simulation| async move {
        let name = simulation.names()[0].clone();
        let node = start(&simulation, &name, simulation.boot(&name)).await;
        let mut chance = Prng::new(3);
        // It writes to the disk, for which what is handed out meanwhile waits.
        let options = SenderOptions::in_order().durable();
        let sender = Rc::new(node.reliable_sender::<u64>(QUEUE, options).await.expect("opened"));
        let receive = async || {
            let receiver = node.reliable_receiver::<u64>(QUEUE, ReceiverOptions::one_at_a_time()).await;
            receiver.expect("the place is free")
        };
        for round in 0..100 {
            let receiver = receive().await;
            let sends = (0..4).map(|number| {
                let (sender, pause) =
                    (sender.clone(), chance.duration(Duration::ZERO, Duration::from_millis(4)));
                tokio::task::spawn_local(async move {
                    sleep(pause).await;
                    sender.send(round * 4 + number).await.expect("accepted");
                })
            });
            let sends: Vec<_> = sends.collect();
            sleep(chance.duration(Duration::ZERO, Duration::from_millis(6))).await;
            drop(receiver);
            let mut receiver = receive().await;
            let mut confirmed = BTreeSet::new();
            while confirmed.len() < 4 {
                let delivered = receiver.next().await.expect("delivered");
                let beside = timeout(Duration::from_millis(1), receiver.next()).await;
                assert!(beside.is_err(), "{beside:?} is handed out while another message is in hand");
                assert!(confirmed.insert(delivered.sequence()), "{delivered:?} was confirmed before");
                delivered.confirm();
            }
            for sent in sends {
                sent.await.expect("no panic");
            }
        }
    });
}
