//! Actors of whole nodes that talk while links are cut, the weather is bad, processes stop for a while and are killed: every tell that
//! was accepted is delivered once, in its sender's order, or comes back once, and what came back as not executed was not delivered.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use synod::Node;
use synod::actor::{DeadLetter, DeadLetterHook};
use synod::env::Env;
use synod::prelude::*;
use synod::protocols::prng::Prng;
use synod::protocols::sim::{FaultKind, NetworkConfig, Tally};
use synod::sim::{Medium, Outcome as Run, Simulation, simulate_on};
use synod::transport::PeerName;
use tokio::time::{Instant, sleep, timeout};

use crate::ground::{Disturbance, builder, disturb};

const NAMES: [&str; 3] = ["a", "b", "c"];
const TALK: Duration = Duration::from_secs(60);

/// The `number`th word of a process.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "test.Word")]
struct Word {
    from: u64,
    number: u64,
    #[serde(with = "synod::wire::slice")]
    ballast: Bytes,
}

interface!(Talk = "test.talk" { Word });

/// What one process heard: from whom, and which of their words.
type Heard = Arc<Mutex<Vec<(u64, u64)>>>;

#[derive(Remote)]
#[remote(Talk, mailbox = 100_000)]
struct Listener {
    heard: Heard,
}

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<Word> for Listener {
    type Result = ();

    fn handle(&mut self, word: Word, _: &mut Context<Self>) {
        self.heard.lock().expect("no panic").push((word.from, word.number));
    }
}

/// One process, from its start to its end.
struct Process {
    node: Option<Node>,
    heard: Heard,
    letters: Arc<Mutex<Vec<DeadLetter>>>,
    /// For each word whether it was accepted, and by which process it was to be heard.
    told: Vec<(bool, u64)>,
    killed: bool,
}

/// All processes that ever were, by the order of their starts.
#[derive(Default)]
struct Book {
    processes: RefCell<Vec<Process>>,
    /// Which process each incarnation of a node is.
    births: RefCell<BTreeMap<(String, u64), u64>>,
    over: Cell<bool>,
    /// Of how many words one is too large for a frame.
    large_one_in: Cell<u64>,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq)]
struct Talked {
    heard: usize,
    letters: usize,
    unknown: usize,
    replayed: u64,
    large: u64,
}

/// A process: it listens, and tells the others.
async fn live(simulation: Simulation, book: Rc<Book>, name: PeerName, env: Env) {
    let (heard, letters) = (Heard::default(), Arc::<Mutex<Vec<DeadLetter>>>::default());
    let id = book.processes.borrow().len() as u64;
    let (listened, back) = (heard.clone(), letters.clone());
    let process = Process { node: None, heard: heard.clone(), letters, told: Vec::new(), killed: false };
    book.processes.borrow_mut().push(process);
    let hook = DeadLetterHook(Arc::new(move |letter| back.lock().expect("no panic").push(letter)));
    let others: Vec<PeerName> = simulation.names().iter().filter(|other| **other != name).cloned().collect();
    let node =
        builder(&simulation, &name, env).dead_letters(hook).start().await.expect("a simulated node starts");
    book.births.borrow_mut().insert((name.to_string(), node.system().incarnation()), id);
    node.spawn(&format!("listener/{name}"), move || Listener { heard: listened.clone() })
        .await
        .expect("spawned");
    book.processes.borrow_mut()[id as usize].node = Some(node.clone());
    let mut chance = Prng::fork(simulation.seed(), 0x7A1C ^ id);
    let mut listeners: BTreeMap<PeerName, ActorRef<Talk>> = BTreeMap::new();
    while !book.over.get() {
        sleep(chance.duration(Duration::from_millis(1), Duration::from_millis(20))).await;
        let Some(to) = chance.pick(&others).cloned() else { return };
        let Some(listener) = listeners.get(&to) else {
            let found = timeout(Duration::from_secs(1), node.lookup(&format!("listener/{to}"))).await;
            if let Ok(Ok(found)) = found {
                listeners.insert(to, found);
            }
            continue;
        };
        if !tell(&book, &mut chance, id, &to, listener).await {
            listeners.remove(&to);
        }
    }
}

/// Tells one word; `false` when another listener has to be looked for.
async fn tell(book: &Book, chance: &mut Prng, id: u64, to: &PeerName, listener: &ActorRef<Talk>) -> bool {
    let target = book.births.borrow()[&(to.to_string(), listener.incarnation())];
    let number = {
        let mut processes = book.processes.borrow_mut();
        let told = &mut processes[id as usize].told;
        told.push((false, target));
        told.len() as u64 - 1
    };
    let size = if chance.below(book.large_one_in.get()) == 0 { 1_200_000 } else { 16 };
    let word = Word { from: id, number, ballast: vec![0; size].into() };
    // Accepted from the moment in which it is told on, whatever becomes of this process meanwhile.
    let told = match chance.below(2) {
        0 => listener.try_tell(word),
        _ => listener.tell(word).await,
    };
    match told {
        Ok(()) => {
            book.processes.borrow_mut()[id as usize].told[number as usize].0 = true;
            true
        }
        Err(error) => {
            assert_eq!(error.outcome, Outcome::NotExecuted, "{error}");
            error.cause == Cause::LinkFull
        }
    }
}

async fn strike(simulation: &Simulation, book: &Rc<Book>) {
    let mut chance = Prng::fork(simulation.seed(), 0xFA);
    let until = Instant::now() + TALK;
    while Instant::now() < until {
        sleep(chance.duration(Duration::from_millis(200), Duration::from_secs(3))).await;
        let names = simulation.names();
        let Some(name) = chance.pick(names).cloned() else { return };
        // Within the reconnect window and beyond it.
        let lasts = chance.duration(Duration::from_millis(50), Duration::from_secs(9));
        match chance.below(6) {
            0 => {
                simulation.kill(&name);
                bury(book, &name);
                sleep(lasts / 4).await;
                begin(simulation, book, &name);
            }
            1 => disturb(simulation, &mut chance, name, Disturbance::Pause, lasts).await,
            2 | 3 => disturb(simulation, &mut chance, name, Disturbance::Partition, lasts).await,
            4 => disturb(simulation, &mut chance, name, Disturbance::OneWay, lasts).await,
            _ => disturb(simulation, &mut chance, name, Disturbance::Weather, lasts).await,
        }
        sleep(lasts).await;
        simulation.weather(NetworkConfig::calm());
    }
}

fn begin(simulation: &Simulation, book: &Rc<Book>, name: &PeerName) {
    let (inside, book, own) = (simulation.clone(), book.clone(), name.clone());
    simulation.start(name, move |env| live(inside, book, own, env));
}

fn bury(book: &Book, name: &PeerName) {
    let last =
        book.births.borrow().iter().filter(|((node, _), _)| node == name.as_str()).map(|(_, id)| *id).max();
    if let Some(id) = last {
        let process = &mut book.processes.borrow_mut()[id as usize];
        process.killed = true;
        process.node = None;
    }
}

/// A minute of talk under faults, calm after it, and the account.
fn talk(seed: u64, medium: Medium) -> (Run<Talked>, Tally) {
    let tally = Rc::new(RefCell::new(Tally::default()));
    let faults = tally.clone();
    let run = simulate_on(medium, seed, &NAMES, |simulation| async move {
        let book = Rc::<Book>::default();
        // Every byte of QUIC is sealed and opened.
        book.large_one_in.set(if medium == Medium::Memory { 40 } else { 500 });
        for name in simulation.names() {
            begin(&simulation, &book, name);
        }
        strike(&simulation, &book).await;
        book.over.set(true);
        sleep(Duration::from_secs(40)).await;
        *faults.borrow_mut() = simulation.faults();
        account(seed, &book)
    });
    let tally = tally.borrow().clone();
    (run, tally)
}

fn account(seed: u64, book: &Book) -> Talked {
    let processes = book.processes.borrow();
    let mut sum = Talked::default();
    for (id, sender) in processes.iter().enumerate() {
        let letters = sender.letters.lock().expect("no panic");
        let mut back: BTreeMap<u64, Outcome> = BTreeMap::new();
        for letter in letters.iter() {
            let body = letter.body.as_ref().expect("what travelled has a body");
            let word: Word = synod::wire::decode(body, 2_000_000).expect("the body is the word's");
            let again = back.insert(word.number, letter.error.outcome);
            assert_eq!(again, None, "seed {seed}: {id} got {} back twice", word.number);
        }
        sum.letters += letters.len();
        sum.unknown += back.values().filter(|outcome| **outcome == Outcome::Unknown).count();
        for (to, listener) in processes.iter().enumerate() {
            let heard = listener.heard.lock().expect("no panic");
            let from_here = heard.iter().filter(|(from, _)| *from == id as u64).map(|(_, number)| *number);
            let heard: Vec<u64> = from_here.collect();
            assert!(heard.is_sorted_by(|one, next| one < next), "seed {seed}: {to} heard {id} as {heard:?}");
            sum.heard += heard.len();
            for (number, &(accepted, target)) in (0..).zip(&sender.told) {
                let was_heard = heard.binary_search(&number).is_ok();
                assert!(!was_heard || target == to as u64, "seed {seed}: {number} of {id} went astray");
                if target != to as u64 {
                    continue;
                }
                let came_back = back.get(&number);
                let lied = was_heard && came_back == Some(&Outcome::NotExecuted);
                assert!(!lied, "seed {seed}: {number} of {id} was heard and came back as not executed");
                assert!(
                    accepted || sender.killed || !was_heard,
                    "seed {seed}: {number} of {id} was refused, and heard"
                );
                // A process that is killed loses what it has accepted and not handled, and all that it was to be told.
                let lost = accepted && !was_heard && came_back.is_none();
                assert!(
                    !lost || listener.killed || sender.killed,
                    "seed {seed}: {number} of {id} for {to} has vanished"
                );
            }
        }
        if let Some(node) = &sender.node {
            let counted = node.system().transport().metrics();
            sum.replayed += counted.frames_replayed;
            sum.large += counted.bulk_out;
        }
    }
    sum
}

/// So many runs together; every kind of fault struck, and frames were on their way when connections broke.
fn talks(seeds: std::ops::Range<u64>, medium: Medium) -> Talked {
    let mut faults = Tally::default();
    let mut sum = Talked::default();
    for seed in seeds {
        let (run, struck) = talk(seed, medium);
        faults.merge(&struck);
        sum.heard += run.value.heard;
        sum.letters += run.value.letters;
        sum.unknown += run.value.unknown;
        sum.replayed += run.value.replayed;
        sum.large += run.value.large;
    }
    println!("{medium:?}: {sum:?}");
    for kind in [FaultKind::Crash, FaultKind::Partition, FaultKind::OneWayCut, FaultKind::Loss] {
        assert!(faults.count(kind).injected > 0, "{kind} never struck");
    }
    assert!(sum.letters > sum.unknown && sum.unknown > 0, "{sum:?}");
    assert!(sum.replayed > 0, "no frame was on its way when a connection broke");
    sum
}

#[test]
fn every_tell_is_delivered_once_and_in_order_or_comes_back_once() {
    let sum = talks(0..4, Medium::Memory);
    assert!(sum.heard > 10_000 && sum.large > 100, "{sum:?}");
}

#[test]
fn over_quic_too() {
    let sum = talks(0..2, Medium::Quic);
    assert!(sum.heard > 5_000 && sum.large > 0, "{sum:?}");
}

#[test]
fn the_same_seed_is_the_same_talk() {
    let ((first, _), (again, _)) = (talk(100, Medium::Memory), talk(100, Medium::Memory));
    assert_eq!(first, again);
}
