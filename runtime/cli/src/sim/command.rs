//! The table of simulations.

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::output::Form;
use crate::sim::nodes::NodesCommand;
use crate::sim::raft::RaftCommand;

/// Simulates clusters in virtual time: same seed, same run.
#[derive(Args, Debug)]
pub(crate) struct SimCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Raft(RaftCommand),
    Nodes(NodesCommand),
}

impl SimCommand {
    /// Does it.
    ///
    /// # Errors
    /// When a seed broke a promise.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        match self.what {
            What::Raft(raft) => raft.run(form),
            What::Nodes(nodes) => nodes.run(form),
        }
    }
}
