//! The register under faults, many seeds: what was told once is never told lower again.
//!
//! A test of one's own protocol looks like this: whole nodes, bad weather, crashes that lose what was not synced, one law.

use std::collections::BTreeMap;
use std::time::Duration;

use synod::prelude::*;
use synod::protocols::prng::Prng;
use synod::protocols::sim::{FaultKind, NetworkConfig};
use synod_samples::register::{Command, Register};
use synod_samples::{Ground, Stage};

const NODES: [&str; 3] = ["n1", "n2", "n3"];
const SEEDS: u64 = 40;
const TURNS: u64 = 30;
const FAST: Duration = Duration::from_micros(200);
const PATIENCE: Duration = Duration::from_secs(10);

/// A cluster of registers that are struck and asked in turn.
struct Study {
    ground: Ground,
    /// How long after the questions the strike comes at most.
    pause_max: Duration,
    machines: BTreeMap<&'static str, Machine<Register>>,
    chance: Prng,
    /// The highest value that anybody was told, and the highest that anybody asked for.
    told: u64,
    asked: u64,
}

impl Study {
    async fn start(&mut self, name: &'static str) {
        let node = self.ground.start(name).await.unwrap();
        let members = (node.id(), node.members(NODES).unwrap().into_keys().collect());
        let machine = node.host("height", members, || Box::new(PlainHost)).await.unwrap();
        self.machines.insert(name, machine);
    }

    async fn kill(&mut self, name: &'static str) {
        self.machines.remove(name);
        self.ground.end(name).await.unwrap();
    }

    /// Lets one node go, all of them, or none, and brings back whoever was away before.
    async fn strike(&mut self) {
        let victims = match self.chance.below(8) {
            0 => &NODES[..],
            1..4 => std::slice::from_ref(&NODES[self.chance.below(3) as usize]),
            _ => &[],
        };
        let away: Vec<_> = NODES.into_iter().filter(|name| !self.machines.contains_key(name)).collect();
        for name in away {
            self.start(name).await;
        }
        for name in victims {
            self.kill(name).await;
        }
        if self.machines.is_empty() {
            for name in NODES {
                self.start(name).await;
            }
        }
    }

    /// Asks every node that lives, strikes while they are at it, and gives how many answered.
    async fn turn(&mut self) -> usize {
        let floor = self.told;
        let mut questions = Vec::new();
        for machine in self.machines.values() {
            let machine = machine.clone();
            let low = self.chance.below(2) * (self.told + self.chance.below(3));
            let command = if low == 0 { Command::Read } else { Command::Raise(low) };
            self.asked = self.asked.max(low);
            let ask = async move { actix::clock::timeout(PATIENCE, machine.command(command)).await };
            questions.push((low, actix::spawn(ask)));
        }
        actix::clock::sleep(self.chance.duration(Duration::ZERO, self.pause_max)).await;
        self.strike().await;
        let mut answered = 0;
        for (low, question) in questions {
            // Who found no majority in time, or died, gave no answer: nothing is known of what it was asked.
            let Ok(Ok(reply)) = question.await.unwrap() else { continue };
            let value = reply.expect("three commands are not too many");
            assert!(value >= low.max(floor), "{value} was told after {floor}, when {low} was asked for");
            assert!(value <= self.asked, "{value} was told, and nobody asked for it");
            self.told = self.told.max(value);
            answered += 1;
        }
        answered
    }
}

/// One run; gives how many commands were answered and how many crashes struck.
async fn run(simulation: Simulation) -> (usize, u64) {
    // Messages faster than disks in one half of the runs, slower in the other: different promises come too early then.
    let delay_mean = if simulation.seed().is_multiple_of(2) { FAST } else { 50 * FAST };
    let delay_max = Duration::from_millis(200);
    simulation.weather(NetworkConfig { delay_mean, delay_max, loss: 0.1, ..NetworkConfig::calm() });
    let ground = Ground::new("register", Stage::Simulated(simulation.clone())).unwrap();
    let chance = Prng::fork(simulation.seed(), 99);
    let pause_max = 10 * delay_mean;
    let mut study = Study { ground, pause_max, machines: BTreeMap::new(), chance, told: 0, asked: 0 };
    for name in NODES {
        study.start(name).await;
    }
    let mut answered = 0;
    for _ in 0..TURNS {
        answered += study.turn().await;
    }
    (answered, simulation.faults().count(FaultKind::Crash).injected)
}

#[test]
fn what_was_told_is_never_told_lower() {
    let (mut answers, mut crashes) = (0, 0);
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let (answered, struck) = simulate(seed, &NODES, run).value;
        answers += answered;
        crashes += struck;
    }
    println!("{answers} answers, {crashes} crashes");
    assert!(answers as u64 > SEEDS * TURNS && crashes > SEEDS * 10, "too little happened");
}
