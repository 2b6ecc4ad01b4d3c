//! Bonds between actors of whole nodes while links are cut and processes are killed: no actor outlives the other by longer than the
//! silence of its node is noticed, whoever fell, and who listens is told once.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use synod::Node;
use synod::env::Env;
use synod::prelude::*;
use synod::protocols::prng::Prng;
use synod::protocols::sim::{FaultKind, NetworkConfig, Tally};
use tokio::time::{sleep, timeout};

use crate::ground::start;

const NAMES: [&str; 2] = ["a", "b"];
/// After this long without a cut everything is known: idle timeouts, the reconnect window, and connecting again.
const SETTLED: Duration = Duration::from_secs(25);

/// Ends the actor, by a panic or in order.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "test.Fall")]
struct Fall {
    in_order: bool,
}

interface!(Bound = "test.bound" { Fall });

/// How often it was told of the other's end, and how that was.
type Told = Arc<Mutex<Vec<Terminated>>>;

#[derive(Remote)]
#[remote(Bound, restarts = synod::actor::Restarts::never())]
struct Twin {
    scope: Scope,
    /// Where it notes what it hears; who does not listen ends with the other.
    told: Option<Told>,
}

impl Actor for Twin {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if self.told.is_some() {
            self.scope.hear_bonds(ctx.address().recipient());
        }
    }
}

impl Handler<BondEnded> for Twin {
    type Result = ();

    fn handle(&mut self, ended: BondEnded, _: &mut Context<Self>) {
        let told = self.told.as_ref().expect("it listens");
        told.lock().expect("no panic").push(ended.terminated);
    }
}

impl Handler<Fall> for Twin {
    type Result = ();

    fn handle(&mut self, fall: Fall, ctx: &mut Context<Self>) {
        assert!(fall.in_order, "as asked");
        ctx.stop();
    }
}

/// A process: a twin that does not listen, and one that does.
#[derive(Clone)]
struct Process {
    node: Node,
    mute: ActorRef<Bound>,
    heir: ActorRef<Bound>,
    told: Told,
}

type Processes = Rc<RefCell<Vec<Option<Process>>>>;

async fn live(simulation: Simulation, processes: Processes, own: usize, env: Env) {
    let node = start(&simulation, &simulation.names()[own], env).await;
    let told = Told::default();
    let twin = |told: Option<Told>| move |scope: &Scope| Twin { scope: scope.clone(), told: told.clone() };
    let mute = node.spawn(format!("mute/{}", NAMES[own]), twin(None)).await.expect("spawned").reference();
    let heir = node.spawn(format!("heir/{}", NAMES[own]), twin(Some(told.clone()))).await.expect("spawned");
    let process = Process { node, mute, heir: heir.reference(), told };
    processes.borrow_mut()[own] = Some(process);
    std::future::pending::<()>().await;
}

async fn begin(simulation: &Simulation, processes: &Processes, own: usize) -> Process {
    let (inside, book) = (simulation.clone(), processes.clone());
    processes.borrow_mut()[own] = None;
    simulation.start(&simulation.names()[own], move |env| live(inside, book, own, env));
    loop {
        if let Some(process) = processes.borrow()[own].clone() {
            return process;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// What became of the two, and what was heard.
#[derive(Clone, Debug, PartialEq)]
struct Came {
    fell: u64,
    bound: Result<(), BondError>,
    listens: bool,
    ends: [Option<Reason>; 2],
    heard: Vec<Reason>,
}

/// Binds one twin of each node, and lets one fall in some way while the network is bad.
fn round(seed: u64, cut_off: CutOff) -> (synod::sim::Outcome<Came>, Tally) {
    let tally = Rc::new(RefCell::new(Tally::default()));
    let faults = tally.clone();
    let run = simulate(seed, &NAMES, |simulation| async move {
        let mut chance = Prng::fork(seed, 0xB0);
        let processes: Processes = Rc::new(RefCell::new(vec![None, None]));
        let a = begin(&simulation, &processes, 0).await;
        let b = begin(&simulation, &processes, 1).await;
        let wait = Duration::from_secs(10);
        let there: ActorRef<Bound> = a.node.wait_for("mute/b", wait).await.expect("b is there");
        let back: ActorRef<Bound> = b.node.wait_for("mute/a", wait).await.expect("a is there");
        if chance.chance(0.5) {
            simulation.weather(NetworkConfig { loss: 0.1, duplicate: 0.05, ..NetworkConfig::calm() });
        }
        let bound = a.node.system().bond(&a.mute, &there, cut_off).await;
        // Who listens is bound to the same actor, from the other side, twice.
        let mut listens = false;
        for _ in 0..2 {
            listens |= b.node.system().bond(&b.heir, &back, cut_off).await.is_ok();
        }
        let fell = chance.below(5);
        // Within the reconnect window and beyond it.
        let lasts = chance.duration(Duration::from_millis(50), Duration::from_secs(15));
        if chance.chance(0.5) || fell == 4 {
            match chance.below(2) {
                0 => simulation.partition(&[simulation.names()[1].clone()]),
                _ => simulation.partition_one_way(&[simulation.names()[1].clone()]),
            }
            sleep(chance.duration(Duration::ZERO, lasts)).await;
        }
        match fell {
            0 => drop(a.mute.ask(Fall { in_order: true }).await),
            1 => drop(a.mute.ask(Fall { in_order: false }).await),
            2 => drop(a.node.system().kill(&a.mute)),
            3 => {
                simulation.kill(&simulation.names()[0]);
                sleep(lasts / 4).await;
                begin(&simulation, &processes, 0).await;
            }
            _ => {}
        }
        sleep(lasts).await;
        simulation.weather(NetworkConfig::calm());
        sleep(SETTLED).await;
        *faults.borrow_mut() = simulation.faults();
        let end = async |process: &Process, own: usize| {
            let ended = timeout(Duration::from_millis(1), process.node.watch(&process.mute)).await;
            ended.ok().filter(|_| own == 1 || fell != 3).map(|end| end.reason)
        };
        let ends = [end(&a, 0).await, end(&b, 1).await];
        let heard = b.told.lock().expect("no panic").iter().map(|end| end.reason).collect();
        Came { fell, bound, listens, ends, heard }
    });
    let tally = tally.borrow().clone();
    (run, tally)
}

#[test]
fn nobody_outlives_the_one_to_which_it_is_bound() {
    let mut faults = Tally::default();
    let mut fell = [0; 5];
    let mut together = 0;
    for seed in 0..60 {
        let (run, struck) = round(seed, CutOff::End);
        let came = run.value;
        faults.merge(&struck);
        if came.bound.is_err() {
            continue;
        }
        fell[came.fell as usize] += 1;
        assert!(came.heard.len() <= 1, "seed {seed}: told twice: {came:?}");
        match came.fell {
            // Unless the two were cut off from each other before or after.
            0 => assert!(matches!(came.ends[1], None | Some(Reason::Bonded)), "seed {seed}: {came:?}"),
            1..=3 => {
                assert_eq!(came.ends[1], Some(Reason::Bonded), "seed {seed}: {came:?}");
                assert!(came.heard.iter().all(|reason| !reason.is_orderly()), "seed {seed}: {came:?}");
            }
            // Both or none.
            _ => {
                assert_eq!(came.ends[0], came.ends[1], "seed {seed}: {came:?}");
                together += u32::from(came.ends[0].is_some());
            }
        }
    }
    assert!(fell.iter().all(|times| *times > 3), "{fell:?}");
    assert!(together > 0, "no cut was long enough");
    for kind in [FaultKind::Crash, FaultKind::Partition, FaultKind::OneWayCut] {
        assert!(faults.count(kind).injected > 0, "{kind} never struck");
    }
}

#[test]
fn a_cut_that_heals_ends_nothing_for_those_who_wait_and_what_happened_meanwhile_is_told() {
    let mut faults = Tally::default();
    let mut fell = [0; 5];
    for seed in 200..260 {
        let (run, struck) = round(seed, CutOff::Wait);
        let came = run.value;
        faults.merge(&struck);
        if came.bound.is_err() {
            continue;
        }
        fell[came.fell as usize] += 1;
        match came.fell {
            // An orderly stop concerns who listens, and nobody else.
            0 => assert_eq!(came.ends, [Some(Reason::Stopped), None], "seed {seed}: {came:?}"),
            1..=3 => assert_eq!(came.ends[1], Some(Reason::Bonded), "seed {seed}: {came:?}"),
            _ => assert_eq!(came.ends, [None, None], "seed {seed}: {came:?}"),
        }
        let told = usize::from(came.listens && came.fell != 4);
        assert_eq!(came.heard.len(), told, "seed {seed}: {came:?}");
    }
    assert!(fell.iter().all(|times| *times > 3), "{fell:?}");
    for kind in [FaultKind::Crash, FaultKind::Partition, FaultKind::OneWayCut] {
        assert!(faults.count(kind).injected > 0, "{kind} never struck");
    }
}

#[test]
fn the_same_seed_is_the_same_end() {
    for seed in 100..103 {
        let ((first, _), (again, _)) = (round(seed, CutOff::End), round(seed, CutOff::End));
        assert_eq!(first, again);
    }
}
