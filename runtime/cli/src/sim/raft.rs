//! `synod sim raft`

use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use synod::protocols::raft::simulation::{Failure as Broken, Options, Outcome, run};
use synod::protocols::sim::{FaultKind, Profile, Report};

use crate::failure::Failure;
use crate::output::{Form, print, print_json};
use crate::sim::range::Seeds;
use crate::sim::sweep::sweep;

/// Simulates groups of Raft machines under faults, one group a seed, and checks every invariant after every step.
#[derive(Args, Debug)]
pub(crate) struct RaftCommand {
    /// The seeds, `A..B` without B, or one.
    #[arg(long, default_value = "0..200")]
    seeds: Seeds,
    /// Which faults may strike.
    #[arg(long, value_enum, default_value_t = ProfileName::Swarm)]
    profile: ProfileName,
    /// Nodes of each group.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=15))]
    nodes: u64,
    /// Seeds at once; as many as there are cores.
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
    /// The least simulated time of a seed, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// The least number of commands of a seed.
    #[arg(long, default_value_t = 2_000)]
    commands: u64,
    /// How many of the last events a failing seed shows.
    #[arg(long, default_value_t = 80)]
    tail: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProfileName {
    /// No faults.
    Calm,
    /// Messages and paths.
    Network,
    /// Processes and disks.
    Process,
    /// Each seed with its own mix of all.
    Swarm,
}

impl RaftCommand {
    /// Does it.
    ///
    /// # Errors
    /// When a seed broke an invariant.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        let options = self.options();
        let jobs = self.jobs.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
        let start = Instant::now();
        let mut report = Report::default();
        let mut broken: Option<Broken> = None;
        sweep(
            &self.seeds.0,
            jobs,
            |seed| run(seed, &options),
            |outcome| {
                add(&mut report, &outcome);
                broken = broken.take().or(outcome.failure);
                broken.is_none()
            },
        );
        report.wall = start.elapsed();
        match form {
            Form::People => print(report.to_string())?,
            Form::Programs => print_json(&as_json(&report, broken.as_ref()))?,
        }
        let Some(broken) = broken else { return Ok(()) };
        let again = format!("synod sim raft --seeds {} {}", broken.seed, self.circumstances());
        Err(Failure::new(format!("{broken}replay it with: {again}")))
    }

    fn options(&self) -> Options {
        Options {
            nodes: self.nodes,
            duration: Duration::from_secs(self.seconds),
            commands: self.commands,
            profile: match self.profile {
                ProfileName::Calm => Profile::Calm,
                ProfileName::Network => Profile::Network,
                ProfileName::Process => Profile::Process,
                ProfileName::Swarm => Profile::Swarm,
            },
            tail: self.tail,
        }
    }

    fn circumstances(&self) -> String {
        let profile = self.profile.to_possible_value().expect("every profile has a name");
        format!(
            "--profile {} --nodes {} --seconds {} --commands {}",
            profile.get_name(),
            self.nodes,
            self.seconds,
            self.commands
        )
    }
}

fn add(report: &mut Report, outcome: &Outcome) {
    report.add(outcome.simulated, outcome.events, outcome.commands, &outcome.faults, &outcome.reached);
}

fn as_json(report: &Report, broken: Option<&Broken>) -> Value {
    let faults: serde_json::Map<String, Value> = FaultKind::ALL
        .iter()
        .map(|&kind| {
            let count = report.faults.count(kind);
            (kind.name().to_owned(), json!({"requested": count.requested, "injected": count.injected}))
        })
        .collect();
    json!({
        "seeds": report.seeds,
        "simulated_seconds": report.simulated.as_secs_f64(),
        "wall_seconds": report.wall.as_secs_f64(),
        "times_real_time": report.speed(),
        "events": report.events,
        "commands": {
            "ok": report.commands.ok,
            "refused": report.commands.refused,
            "unknown": report.commands.unknown,
        },
        "faults": faults,
        "reached": report.reached,
        "failure": broken.map(|broken| json!({
            "seed": broken.seed,
            "violation": broken.violation.to_string(),
            "tail": broken.tail.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })),
    })
}
