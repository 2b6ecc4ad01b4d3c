//! `synod sim raft`

use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use synod::protocols::raft::simulation::{Failure as Broken, Options, Outcome, RARE_PATHS, Reduction, run};
use synod::protocols::sim::{Profile, Report};

use crate::failure::Failure;
use crate::output::{Form, print, print_json};
use crate::sim::broken::{Smaller, find_smaller};
use crate::sim::range::Seeds;
use crate::sim::sums;
use crate::sim::sweep::sweep;

/// Simulates groups of Raft machines under faults, one group a seed, and checks every invariant after every step.
#[derive(Args, Debug)]
pub(crate) struct RaftCommand {
    /// The seeds, `A..B` without B, or one.
    #[arg(long, default_value = "0..200")]
    seeds: Seeds,
    /// Which faults may strike, and what is owed meanwhile.
    #[arg(long, value_enum, default_value_t = ProfileName::Swarm)]
    profile: ProfileName,
    /// Nodes of each group. Left out, each seed of `swarm` and `safety` draws one to seven, and the others have five.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=15))]
    nodes: Option<u64>,
    /// Seeds at once; as many as there are cores.
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
    /// The least simulated time of a seed, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// The least number of commands of a seed.
    #[arg(long, default_value_t = 2_000)]
    commands: u64,
    /// How many commands are asked a simulated second. Left out, each seed draws 50 to 125.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// How many of the last events a failing seed shows.
    #[arg(long, default_value_t = 80)]
    tail: usize,
    /// Look for the smallest run of this seed that breaks the same invariant.
    #[arg(long, value_name = "SEED", conflicts_with = "seeds")]
    shrink: Option<u64>,
    /// How long to look for a smaller run at most, in seconds: of the seed to shrink, or of a seed that fails.
    #[arg(long, default_value_t = 60)]
    shrink_seconds: u64,
    /// Leave parts of the circumstances out, as a smaller run that was found says.
    #[arg(long, value_name = "PARTS", default_value = "")]
    reduce: Reduction,
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
    /// All of them in every seed, as hard as it gets.
    Safety,
    /// Partial connectivity that stays, while a quorum that hears each other has to get on.
    Liveness,
    /// Three continents.
    Wan,
}

impl RaftCommand {
    /// Does it.
    ///
    /// # Errors
    /// When a seed broke an invariant.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        match self.shrink {
            Some(seed) => self.shrink_seed(seed, form),
            None => self.sweep(form),
        }
    }

    fn sweep(&self, form: Form) -> Result<(), Failure> {
        let options = self.options();
        let jobs = self.jobs.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
        let start = Instant::now();
        let mut report = Report::default();
        report.expect(&RARE_PATHS);
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
        let Some(broken) = broken else { return self.tell(form, Some(&report), None) };
        let smaller = find_smaller(broken.seed, &options, self.shrinking());
        let found = Found { seed: broken.seed, broken: &broken, smaller: smaller.as_ref() };
        self.tell(form, Some(&report), Some(&found))
    }

    fn shrink_seed(&self, seed: u64, form: Form) -> Result<(), Failure> {
        let Some(smaller) = find_smaller(seed, &self.options(), self.shrinking()) else {
            return Err(Failure::new(format!("seed {seed} breaks nothing: there is nothing to shrink")));
        };
        let found = Found { seed, broken: &smaller.run.failure, smaller: Some(&smaller) };
        self.tell(form, None, Some(&found))
    }

    fn tell(&self, form: Form, report: Option<&Report>, found: Option<&Found<'_>>) -> Result<(), Failure> {
        let replay = found.map(|found| self.replay(found)).unwrap_or_default();
        match form {
            Form::People => print(report.map(ToString::to_string).unwrap_or_default())?,
            Form::Programs => {
                let failure = found.map(|found| sums::broken(found.broken, found.smaller, &replay));
                print_json(&sums::whole(report, failure))?;
            }
        }
        let Some(found) = found else { return Ok(()) };
        let smaller = found.smaller.map(ToString::to_string);
        let story = smaller.unwrap_or_else(|| found.broken.to_string());
        let again: String = replay.iter().map(|line| format!("\nreplay it with: {line}")).collect();
        Err(Failure::new(format!("{story}{}", again.trim_start())))
    }

    /// The commands that repeat what was found: the seed as it is, and the smaller run.
    fn replay(&self, found: &Found<'_>) -> Vec<String> {
        let seed = found.seed;
        let whole = format!("synod sim raft --seeds {seed}{}", self.circumstances(self.nodes, &self.reduce));
        let smaller = found.smaller.map(|smaller| {
            let options = &smaller.run.options;
            format!("synod sim raft --seeds {seed}{}", self.circumstances(options.nodes, &options.reduction))
        });
        [Some(whole), smaller].into_iter().flatten().collect()
    }

    fn options(&self) -> Options {
        Options {
            nodes: self.nodes,
            duration: Duration::from_secs(self.seconds),
            commands: self.commands,
            rate: self.rate,
            profile: match self.profile {
                ProfileName::Calm => Profile::Calm,
                ProfileName::Network => Profile::Network,
                ProfileName::Process => Profile::Process,
                ProfileName::Swarm => Profile::Swarm,
                ProfileName::Safety => Profile::Safety,
                ProfileName::Liveness => Profile::Liveness,
                ProfileName::Wan => Profile::Wan,
            },
            tail: self.tail,
            reduction: self.reduce.clone(),
        }
    }

    fn shrinking(&self) -> Duration {
        Duration::from_secs(self.shrink_seconds)
    }

    fn circumstances(&self, nodes: Option<u64>, reduction: &Reduction) -> String {
        let profile = self.profile.to_possible_value().expect("every profile has a name");
        let mut text = format!(" --profile {}", profile.get_name());
        if let Some(nodes) = nodes {
            text.push_str(&format!(" --nodes {nodes}"));
        }
        text.push_str(&format!(" --seconds {} --commands {}", self.seconds, self.commands));
        if let Some(rate) = self.rate {
            text.push_str(&format!(" --rate {rate}"));
        }
        if *reduction != Reduction::default() {
            text.push_str(&format!(" --reduce {reduction}"));
        }
        text
    }
}

/// A seed that failed, and a smaller run of it.
struct Found<'a> {
    seed: u64,
    broken: &'a Broken,
    smaller: Option<&'a Smaller>,
}

fn add(report: &mut Report, outcome: &Outcome) {
    report.add(outcome.simulated, outcome.events, outcome.commands, &outcome.faults, &outcome.reached);
}
