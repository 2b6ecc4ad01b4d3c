//! Slow actors of whole nodes, and those who call them while links are cut: everything told is heard once and in order, nothing comes
//! back for want of room, and what waits stays within the windows.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use synod::Node;
use synod::actor::{DeadLetter, DeadLetterHook};
use synod::env::Env;
use synod::prelude::*;
use synod::protocols::prng::Prng;
use synod::protocols::sim::NetworkConfig;
use synod::sim::{Medium, Simulation, simulate_on};
use synod::transport::PeerName;
use tokio::time::sleep;

use crate::ground::builder;

const NAMES: [&str; 3] = ["a", "b", "c"];
/// How many messages may wait before one of the actors.
const ROOM: u64 = 50;
const WORDS: u64 = 2_000;

#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "test.Push")]
struct Push {
    from: u8,
    number: u64,
}

interface!(Burden = "test.burden" { Push });

/// Takes its time with each message.
#[derive(Remote)]
#[remote(Burden, mailbox = 50)]
struct Bearer {
    takes: Duration,
    heard: Heard,
}

/// Who was heard, and with which number.
type Heard = Arc<Mutex<Vec<(u8, u64)>>>;

impl Actor for Bearer {
    type Context = Context<Self>;
}

impl Handler<Push> for Bearer {
    type Result = ();

    fn handle(&mut self, push: Push, ctx: &mut Context<Self>) {
        self.heard.lock().expect("no panic").push((push.from, push.number));
        if !self.takes.is_zero() {
            ctx.wait(sleep(self.takes).into_actor(self));
        }
    }
}

#[derive(Default)]
struct Book {
    slow: Heard,
    quick: Heard,
    letters: Arc<Mutex<Vec<DeadLetter>>>,
    nodes: RefCell<Vec<Node>>,
    done: Cell<usize>,
}

async fn start(simulation: &Simulation, book: &Book, name: &PeerName, env: Env) -> Node {
    let letters = book.letters.clone();
    let hook = DeadLetterHook(Arc::new(move |letter| letters.lock().expect("no panic").push(letter)));
    let node =
        builder(simulation, name, env).dead_letters(hook).start().await.expect("a simulated node starts");
    book.nodes.borrow_mut().push(node.clone());
    node
}

async fn bear(simulation: Simulation, book: Rc<Book>, name: PeerName, env: Env) {
    let node = start(&simulation, &book, &name, env).await;
    for (called, takes, heard) in [("slow", 2, &book.slow), ("quick", 0, &book.quick)] {
        let heard = heard.clone();
        let bearer = move || Bearer { takes: Duration::from_millis(takes), heard: heard.clone() };
        node.spawn(called, bearer).await.expect("spawned");
    }
    std::future::pending::<()>().await;
}

async fn push(simulation: Simulation, book: Rc<Book>, name: PeerName, env: Env) {
    let node = start(&simulation, &book, &name, env).await;
    let from = name.as_str().as_bytes()[0];
    for called in ["quick", "slow"] {
        let bearer: ActorRef<Burden> = loop {
            match node.lookup(called).await {
                Ok(found) => break found,
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        };
        let mut number = 0;
        while number < WORDS {
            match bearer.tell(Push { from, number }).await {
                Ok(()) => number += 1,
                // During a long cut patience may end.
                Err(error) => assert_eq!(error, AskError::not_executed(Cause::MailboxFull)),
            }
        }
    }
    book.done.set(book.done.get() + 1);
    std::future::pending::<()>().await;
}

fn waiting(node: &Node) -> u64 {
    let text = node.metrics().render();
    let line = text.lines().find_map(|line| line.strip_prefix("synod_feed_messages ")?.trim().parse().ok());
    line.expect("it is counted")
}

/// The most that waited at once, and how often frames were written again.
fn run(seed: u64, medium: Medium) -> (u64, u64) {
    let run = simulate_on(medium, seed, &NAMES, |simulation| async move {
        let book = Rc::<Book>::default();
        for name in simulation.names() {
            let (inside, book, own) = (simulation.clone(), book.clone(), name.clone());
            match name.as_str() {
                "b" => simulation.start(name, move |env| bear(inside, book, own, env)),
                _ => simulation.start(name, move |env| push(inside, book, own, env)),
            }
        }
        let mut chance = Prng::fork(seed, 0xC4ED);
        let mut most = 0;
        let mut until_cut = 20;
        while book.done.get() < 2 {
            sleep(Duration::from_millis(50)).await;
            for node in book.nodes.borrow().iter() {
                most = most.max(waiting(node));
                let queued: usize = node
                    .system()
                    .members()
                    .iter()
                    .filter_map(|peer| node.system().transport().link(peer))
                    .map(|link| link.queued())
                    .sum();
                assert!(queued < 64 << 10, "seed {seed}: {queued} bytes wait for a link");
            }
            until_cut -= 1;
            if until_cut == 0 {
                // Within what a connection outlives, and beyond it within what a link does.
                let lasts = chance.duration(Duration::from_millis(100), Duration::from_millis(5_000));
                simulation.partition(&[simulation.names()[1].clone()]);
                sleep(lasts).await;
                simulation.weather(NetworkConfig::calm());
                until_cut = 20 + chance.below(60);
            }
        }
        sleep(Duration::from_secs(10)).await;
        assert_eq!(book.letters.lock().expect("no panic").len(), 0, "seed {seed}");
        for heard in [&book.slow, &book.quick] {
            let heard = heard.lock().expect("no panic");
            for from in [b'a', b'c'] {
                let of: Vec<u64> = heard.iter().filter(|(who, _)| *who == from).map(|(_, n)| *n).collect();
                assert_eq!(of, (0..WORDS).collect::<Vec<_>>(), "seed {seed}: from {from}");
            }
        }
        let again =
            book.nodes.borrow().iter().map(|node| node.system().transport().metrics().frames_replayed).sum();
        (most, again)
    });
    run.value
}

fn runs(seeds: std::ops::Range<u64>, medium: Medium) {
    let (mut most, mut again) = (0, 0);
    for seed in seeds {
        let (waited, replayed) = run(seed, medium);
        most = most.max(waited);
        again += replayed;
    }
    println!("{medium:?}: at most {most} waited, {again} frames were written again");
    // A window for each of two callers, each of whom may exceed it by one.
    assert!(most > ROOM / 2 && most <= 2 * ROOM + 2, "{most}");
    assert!(again > 0, "no frame was on its way when a connection broke");
}

#[test]
fn a_slow_actor_slows_its_callers_and_nothing_is_lost() {
    runs(0..4, Medium::Memory);
}

#[test]
fn over_quic_too() {
    runs(0..1, Medium::Quic);
}
