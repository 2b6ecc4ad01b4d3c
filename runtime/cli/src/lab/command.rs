//! Which experiment, and what all of them are told.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{election, partition, split_vote};
use crate::failure::Failure;
use crate::output::{Form, print, print_json};

/// Repeats published experiments on elections with this very machine in virtual time, and puts the numbers beside the published ones.
///
/// Exits with 1 when a number is outside of its tolerance.
#[derive(Args, Debug)]
pub(crate) struct LabCommand {
    #[command(subcommand)]
    experiment: Experiment,
}

#[derive(Subcommand, Debug)]
enum Experiment {
    /// How often votes split, and how long elections take (Ongaro's dissertation, chapter 9).
    SplitVote {
        /// How many elections in each cell.
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
        trials: u64,
        #[command(flatten)]
        common: Common,
    },
    /// How long a crashed leader takes to be replaced (Raft, Figure 16).
    Election {
        /// How many leaders crash in each line.
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
        trials: u64,
        #[command(flatten)]
        common: Common,
    },
    /// What links that fail in part do to a group (Omni-Paxos, EuroSys 2023), and how long a group misses an isolated leader.
    Partition {
        /// How many times links fail in each line.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
        trials: u64,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args, Debug)]
struct Common {
    /// What all chance is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Draw the figures into this file, as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl LabCommand {
    /// Does it.
    ///
    /// # Errors
    /// When a number is outside of its tolerance, or the drawing cannot be written.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        let (finding, common) = match self.experiment {
            Experiment::SplitVote { trials, common } => (split_vote::run(trials, common.seed), common),
            Experiment::Election { trials, common } => (election::run(trials, common.seed), common),
            Experiment::Partition { trials, common } => (partition::run(trials, common.seed), common),
        };
        if let Some(file) = &common.svg {
            std::fs::write(file, &finding.svg).map_err(|error| Failure::at(file, "write it", error))?;
        }
        match form {
            Form::People => print(&finding.text)?,
            Form::Programs => print_json(&finding.json)?,
        }
        if finding.misses.is_empty() {
            return Ok(());
        }
        Err(Failure::new(format!("outside of the tolerance: {}", finding.misses.join("; "))))
    }
}
