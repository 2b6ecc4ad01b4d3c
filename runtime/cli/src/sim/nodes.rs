//! `synod sim nodes`

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::process::{Command, Stdio};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use synod::protocols::sim::{FaultKind, Tally};
use synod::sim::Medium;
use synod::sim::study::{Options, Studied, study};

use crate::failure::Failure;
use crate::output::{Form, print, print_json};
use crate::sim::range::Seeds;
use crate::sim::sweep::sweep;

/// Simulates clusters of whole nodes: real actors, links, logs and a replicated map, in virtual time under faults.
#[derive(Args, Debug)]
pub(crate) struct NodesCommand {
    /// The seeds, `A..B` without B, or one.
    #[arg(long, default_value = "0..20")]
    seeds: Seeds,
    /// Nodes of each cluster.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=9))]
    nodes: u64,
    /// By what nodes reach each other: links in memory, or QUIC and TLS over simulated datagrams.
    #[arg(long, default_value = "memory")]
    network: Carrier,
    /// How long faults strike, in simulated seconds.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Seeds at once; as many as there are cores.
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
    /// Run every seed a second time, in another process, and compare.
    #[arg(long)]
    twice: bool,
    /// Print the hashes of each seed, of its events and of its packets, and nothing else.
    #[arg(long, conflicts_with = "twice")]
    hashes: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Carrier {
    Memory,
    Quic,
}

/// What makes two runs of one seed the same run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hashes {
    events: u64,
    packets: u64,
}

#[derive(Default)]
struct Sum {
    hashes: BTreeMap<u64, Hashes>,
    simulated: Duration,
    events: u64,
    packets: u64,
    ok: u64,
    refused: u64,
    unknown: u64,
    faults: Tally,
    broken: Option<Studied>,
}

impl NodesCommand {
    /// Does it.
    ///
    /// # Errors
    /// When a seed broke a promise, or was another run in another process.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        let nodes = usize::try_from(self.nodes).expect("at most nine");
        let (duration, medium) = (Duration::from_secs(self.seconds), self.network.into());
        let options = Options { nodes, duration, medium, ..Options::default() };
        let jobs = self.jobs.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
        let start = Instant::now();
        let mut sum = Sum::default();
        sweep(&self.seeds.0, jobs, |seed| study(seed, &options), |studied| sum.add(studied));
        let wall = start.elapsed();
        if self.hashes {
            let lines: String =
                sum.hashes.iter().map(|(seed, hashes)| format!("{seed} {hashes}\n")).collect();
            print(lines)?;
        } else {
            match form {
                Form::People => print(sum.text(wall))?,
                Form::Programs => print_json(&sum.json(wall))?,
            }
        }
        if let Some(broken) = &sum.broken {
            let failure = broken.failure.as_deref().unwrap_or_default();
            let again = format!("synod sim nodes --seeds {} {}", broken.seed, self.circumstances());
            return Err(Failure::new(format!("seed {}: {failure}\nreplay it with: {again}", broken.seed)));
        }
        if self.twice { self.compare(&sum, jobs) } else { Ok(()) }
    }

    fn circumstances(&self) -> String {
        let network = match self.network {
            Carrier::Memory => "memory",
            Carrier::Quic => "quic",
        };
        format!("--network {network} --nodes {} --seconds {}", self.nodes, self.seconds)
    }

    /// Runs all seeds again in another process and compares the hashes.
    fn compare(&self, sum: &Sum, jobs: NonZeroUsize) -> Result<(), Failure> {
        let own = std::env::current_exe()
            .map_err(|error| Failure::new(format!("cannot find this program's file: {error}")))?;
        let seeds = format!("{}..{}", self.seeds.0.start, self.seeds.0.end);
        let other = Command::new(own)
            .args(["sim", "nodes", "--hashes", "--seeds", &seeds, "--jobs", &jobs.to_string()])
            .args(self.circumstances().split(' '))
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| Failure::new(format!("cannot start the second process: {error}")))?;
        if !other.status.success() {
            return Err(Failure::new(format!("the second process ended with {}", other.status)));
        }
        let text = String::from_utf8_lossy(&other.stdout);
        let again: BTreeMap<u64, Hashes> = text
            .lines()
            .filter_map(|line| {
                let (seed, hashes) = line.split_once(' ')?;
                Some((seed.parse().ok()?, Hashes::parse(hashes)?))
            })
            .collect();
        let differs = sum.hashes.iter().find(|(seed, hashes)| again.get(*seed) != Some(*hashes));
        if let Some((seed, hashes)) = differs {
            let other = again.get(seed).map_or("nothing".to_owned(), Hashes::to_string);
            return Err(Failure::new(format!(
                "seed {seed} is not one run: {hashes} here, {other} in another process"
            )));
        }
        print(format!("{} seeds are the same runs in a second process\n", sum.hashes.len()))
    }
}

impl From<Carrier> for Medium {
    fn from(carrier: Carrier) -> Self {
        match carrier {
            Carrier::Memory => Self::Memory,
            Carrier::Quic => Self::Quic,
        }
    }
}

impl Hashes {
    fn parse(text: &str) -> Option<Self> {
        let (events, packets) = text.split_once(' ')?;
        let [events, packets] = [events, packets].map(|hash| u64::from_str_radix(hash, 16).ok());
        Some(Self { events: events?, packets: packets? })
    }
}

impl fmt::Display for Hashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x} {:016x}", self.events, self.packets)
    }
}

impl Sum {
    fn add(&mut self, studied: Studied) -> bool {
        let hashes = Hashes { events: studied.events.hash, packets: studied.packets.hash };
        self.hashes.insert(studied.seed, hashes);
        self.simulated += studied.simulated;
        self.events += studied.events.count;
        self.packets += studied.packets.count;
        self.ok += studied.ok;
        self.refused += studied.refused;
        self.unknown += studied.unknown;
        self.faults.merge(&studied.faults);
        if studied.failure.is_some() && self.broken.is_none() {
            self.broken = Some(studied);
        }
        self.broken.is_none()
    }

    fn struck(&self) -> impl Iterator<Item = (FaultKind, u64, u64)> {
        FaultKind::ALL.into_iter().filter_map(|kind| {
            let count = self.faults.count(kind);
            (count.requested > 0).then_some((kind, count.requested, count.injected))
        })
    }

    fn text(&self, wall: Duration) -> String {
        let mut text = format!(
            "{} seeds, {:.1} simulated minutes in {:.1} s: {:.0} times real time, {} events, {} packets\n",
            self.hashes.len(),
            self.simulated.as_secs_f64() / 60.0,
            wall.as_secs_f64(),
            self.simulated.as_secs_f64() / wall.as_secs_f64(),
            self.events,
            self.packets
        );
        text.push_str(&format!(
            "requests: {} ok, {} refused, {} unknown\n",
            self.ok, self.refused, self.unknown
        ));
        text.push_str(&format!("{:<20}{:>12}{:>12}\n", "fault", "requested", "injected"));
        for (kind, requested, injected) in self.struck() {
            text.push_str(&format!("{:<20}{requested:>12}{injected:>12}\n", kind.name()));
        }
        text
    }

    fn json(&self, wall: Duration) -> Value {
        let faults: Map<String, Value> = self
            .struck()
            .map(|(kind, requested, injected)| {
                (kind.name().to_owned(), json!({"requested": requested, "injected": injected}))
            })
            .collect();
        json!({
            "seeds": self.hashes.len(),
            "simulated_seconds": self.simulated.as_secs_f64(),
            "wall_seconds": wall.as_secs_f64(),
            "times_real_time": self.simulated.as_secs_f64() / wall.as_secs_f64(),
            "events": self.events,
            "packets": self.packets,
            "requests": {"ok": self.ok, "refused": self.refused, "unknown": self.unknown},
            "faults": faults,
            "failure": self.broken.as_ref().map(|broken| json!({"seed": broken.seed, "failure": broken.failure})),
        })
    }
}
