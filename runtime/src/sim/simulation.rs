//! A cluster of whole nodes on one thread in virtual time, from one seed.
//!
//! The nodes are unmodified: they get an [`Env`] whose clock, disk, network and threads are simulated. What they do, and which
//! faults strike when, is the caller's program.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use synod_protocols::NodeId;
use synod_protocols::prng::Prng;
use synod_protocols::sim::{FaultKind, NetworkConfig, Tally};
use synod_transport::PeerName;
use tokio::time::Instant;

use crate::address::{node_id, stable_hash};
use crate::env::{Clock, Env};
use crate::sim::clock::SimClock;
use crate::sim::network::{Hub, Medium, SimNetwork};
use crate::sim::process::Process;
use crate::sim::spawner::{Entrance, LocalSpawner};
use crate::sim::trace::{Roll, Trace};
use crate::sim::weather::{Datagrams, Weather};
use crate::storage::SimDisk;

/// The longest virtual time of one disk job.
const LONGEST_DISK_JOB: Duration = Duration::from_millis(2);

/// A simulated cluster; clones are the same one.
#[derive(Clone)]
pub struct Simulation {
    inner: Rc<Inner>,
}

struct Inner {
    seed: u64,
    names: Vec<PeerName>,
    weather: Weather,
    hub: Hub,
    trace: Trace,
    beginning: Instant,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    processes: BTreeMap<PeerName, Process>,
    disks: BTreeMap<PeerName, SimDisk>,
    starts: BTreeMap<PeerName, u64>,
    faults: Tally,
}

/// What a simulation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<T> {
    /// What the program returned.
    pub value: T,
    /// Everything that happened.
    pub events: Roll,
    /// Everything that the network was given to carry, byte for byte with QUIC.
    pub packets: Roll,
    /// How much virtual time passed.
    pub simulated: Duration,
}

/// Runs a program that starts nodes with these names and does with them as it likes.
///
/// # Panics
/// When the operating system gives no event queue, or `names` holds something that is no node name.
pub fn simulate<T, F>(seed: u64, names: &[&str], program: impl FnOnce(Simulation) -> F) -> Outcome<T>
where
    F: Future<Output = T>,
{
    simulate_on(Medium::Memory, seed, names, program)
}

/// As [`simulate`], with nodes that reach each other by this medium.
///
/// # Panics
/// As [`simulate`].
pub fn simulate_on<T, F>(
    medium: Medium,
    seed: u64,
    names: &[&str],
    program: impl FnOnce(Simulation) -> F,
) -> Outcome<T>
where
    F: Future<Output = T>,
{
    let system = actix_rt::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O needs nothing of the operating system but memory")
    });
    system.block_on(async {
        let start = Instant::now();
        let simulation = Simulation::new(medium, seed, names);
        let value = program(simulation.clone()).await;
        simulation.inner.state.borrow_mut().processes.clear();
        let Inner { trace, .. } = &*simulation.inner;
        Outcome { value, events: trace.events(), packets: trace.packets(), simulated: start.elapsed() }
    })
}

impl Simulation {
    fn new(medium: Medium, seed: u64, names: &[&str]) -> Self {
        let names: Vec<PeerName> = names
            .iter()
            .map(|name| PeerName::new(name).expect("a simulated node has a proper name"))
            .collect();
        let trace = Trace::new(false);
        let chance = Prng::fork(seed, 1).next_u64();
        let weather = Weather::new(chance, &names);
        let hub = Hub::new(medium, Prng::fork(seed, 2).next_u64(), &weather, &trace, &names);
        let (beginning, state) = (Instant::now(), RefCell::default());
        let inner = Inner { seed, names, weather, hub, trace, beginning, state };
        Self { inner: Rc::new(inner) }
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.inner.seed
    }

    /// The nodes' names.
    #[must_use]
    pub fn names(&self) -> &[PeerName] {
        &self.inner.names
    }

    /// The address at which a node is reached when it listens on `port`.
    #[must_use]
    pub fn endpoint(&self, name: &PeerName, port: u16) -> String {
        format!("{}:{port}", self.inner.hub.host(name))
    }

    /// The hash of everything that happens; a program may add to it.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.inner.trace
    }

    /// Starts a process of this name, which must not be running. `main` gets the environment and what it starts lives until it
    /// is killed. The disk is what the last process of that name left.
    ///
    /// # Panics
    /// When the process is running.
    pub fn start<F>(&self, name: &PeerName, main: impl FnOnce(Env) -> F)
    where
        F: Future<Output = ()> + 'static,
    {
        let mut state = self.inner.state.borrow_mut();
        assert!(!state.processes.contains_key(name), "{name} is running");
        let starts = state.starts.entry(name.clone()).or_default();
        *starts += 1;
        let label = stable_hash(name.as_str().as_bytes()) ^ *starts;
        let seed = Prng::fork(self.inner.seed, label).next_u64();
        self.inner.trace.record("start", &format!("{name} {starts}"));
        let disk = state.disks.entry(name.clone()).or_default().clone();
        let (entrance, door) = Entrance::new();
        let clock = Arc::new(SimClock::new(self.inner.beginning));
        let watch = clock.clone();
        let env = Env {
            clock,
            spawner: Arc::new(LocalSpawner::new(entrance.clone(), seed, LONGEST_DISK_JOB)),
            seed,
            network: Arc::new(SimNetwork::new(
                self.inner.hub.clone(),
                entrance,
                Arc::new(move || watch.wall()),
            )),
            disk: Some(Arc::new(disk)),
        };
        let program = main(env);
        let process = Process::start(async move {
            tokio::task::spawn_local(door);
            program.await;
        });
        state.processes.insert(name.clone(), process);
    }

    /// Starts a process that does nothing by itself and gives its environment: a node that is started with it, from anywhere in
    /// the simulation, lives in that process and dies with it.
    ///
    /// # Panics
    /// When the process is running.
    #[must_use]
    pub fn boot(&self, name: &PeerName) -> Env {
        let mut booted = None;
        self.start(name, |env| {
            booted = Some(env);
            std::future::ready(())
        });
        booted.expect("a process is given its environment as it starts")
    }

    /// Kills a process, as `kill -9` and a power failure at once do: what its disk had not synced may be gone. Gives whether it
    /// was running.
    pub fn kill(&self, name: &PeerName) -> bool {
        let mut state = self.inner.state.borrow_mut();
        state.faults.request(FaultKind::Crash);
        let Some(process) = state.processes.remove(name) else { return false };
        state.faults.inject(FaultKind::Crash);
        self.inner.trace.record("kill", name.as_str());
        // The network and the disk go first, so that nothing a destructor does gets out.
        self.inner.hub.kill(name);
        let starts = state.starts.get(name).copied().unwrap_or_default();
        let seed = Prng::fork(self.inner.seed, node_id(name).0 ^ starts).next_u64();
        if let Some(disk) = state.disks.get_mut(name) {
            *disk = disk.crash(seed);
        }
        drop(process);
        true
    }

    /// Gives the next process of this name an empty disk. Gives whether there was one with something on it, of a process that does
    /// not run.
    pub fn replace_disk(&self, name: &PeerName) -> bool {
        let mut state = self.inner.state.borrow_mut();
        state.faults.request(FaultKind::LostDisk);
        if state.processes.contains_key(name) || state.disks.remove(name).is_none() {
            return false;
        }
        state.faults.inject(FaultKind::LostDisk);
        self.inner.trace.record("empty disk", name.as_str());
        true
    }

    /// Whether a process of this name runs, paused or not.
    #[must_use]
    pub fn is_running(&self, name: &PeerName) -> bool {
        self.inner.state.borrow().processes.contains_key(name)
    }

    /// Stops a process for a while, as `SIGSTOP` does.
    pub fn pause(&self, name: &PeerName) {
        let mut state = self.inner.state.borrow_mut();
        state.faults.request(FaultKind::Pause);
        let paused = state.processes.get(name).is_some_and(|process| {
            let running = !process.is_paused();
            process.pause();
            running
        });
        if paused {
            state.faults.inject(FaultKind::Pause);
            self.inner.trace.record("pause", name.as_str());
        }
    }

    /// Lets a paused process go on.
    pub fn resume(&self, name: &PeerName) {
        if let Some(process) = self.inner.state.borrow().processes.get(name) {
            self.inner.trace.record("resume", name.as_str());
            process.resume();
        }
    }

    /// Cuts the paths between `group` and all other nodes, in both directions.
    pub fn partition(&self, group: &[PeerName]) {
        let paths: Vec<_> = self.paths(group).flat_map(|(a, b)| [(a, b), (b, a)]).collect();
        self.inner.trace.record("partition", &format!("{group:?}"));
        self.inner.weather.cut(FaultKind::Partition, &paths);
    }

    /// Cuts the paths from `group` to all other nodes; what they send still arrives.
    pub fn partition_one_way(&self, group: &[PeerName]) {
        let paths: Vec<_> = self.paths(group).collect();
        self.inner.trace.record("one-way", &format!("{group:?}"));
        self.inner.weather.cut(FaultKind::OneWayCut, &paths);
    }

    /// Lets this happen to datagrams until the weather changes. Nothing where nodes do not reach each other by datagrams.
    pub fn datagrams(&self, datagrams: Datagrams) {
        if self.medium() == Medium::Quic {
            self.inner.trace.record("datagrams", "");
            self.inner.weather.strike_datagrams(datagrams);
        }
    }

    /// By what nodes reach each other.
    #[must_use]
    pub fn medium(&self) -> Medium {
        self.inner.hub.medium()
    }

    /// Makes the network bad, or good again, and ends every cut.
    pub fn weather(&self, config: NetworkConfig) {
        self.inner.trace.record("weather", "");
        self.inner.weather.heal(config);
    }

    /// The faults asked for and injected.
    #[must_use]
    pub fn faults(&self) -> Tally {
        let mut all = self.inner.weather.tally();
        all.merge(&self.inner.state.borrow().faults);
        all
    }

    fn paths(&self, group: &[PeerName]) -> impl Iterator<Item = (NodeId, NodeId)> {
        let others: Vec<_> =
            self.inner.names.iter().filter(|name| !group.contains(name)).map(node_id).collect();
        group.iter().map(node_id).flat_map(move |from| {
            let others = others.clone();
            others.into_iter().map(move |to| (from, to))
        })
    }
}
