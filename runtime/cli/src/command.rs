//! The table of commands: one file for each, one line here.

use clap::{Parser, Subcommand};

use crate::backup::BackupCommand;
use crate::bench::BenchCommand;
use crate::ca::CaCommand;
use crate::chaos::ChaosCommand;
use crate::check::CheckCommand;
use crate::demo::DemoCommand;
use crate::failure::Failure;
use crate::kv::KvCommand;
use crate::lab::LabCommand;
use crate::member::MemberCommand;
use crate::node::NodeCommand;
use crate::output::Form;
use crate::restore::RestoreCommand;
use crate::scenario::ScenarioCommand;
use crate::sim::SimCommand;
use crate::status::StatusCommand;

/// synod: a distributed service is composed by spawning actors.
///
/// `synod demo` starts a cluster of three processes on this machine and says what to try.
#[derive(Parser, Debug)]
#[command(name = "synod", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum Command {
    Demo(DemoCommand),
    Node(NodeCommand),
    Status(StatusCommand),
    Kv(KvCommand),
    Member(MemberCommand),
    Ca(CaCommand),
    Backup(BackupCommand),
    Restore(RestoreCommand),
    Sim(SimCommand),
    Scenario(ScenarioCommand),
    Bench(BenchCommand),
    Chaos(ChaosCommand),
    Check(CheckCommand),
    Lab(LabCommand),
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    /// One sentence for people.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let form = if self.json { Form::Programs } else { Form::People };
        match self.command {
            Command::Demo(demo) => demo.run(form),
            Command::Node(node) => node.run(),
            Command::Status(status) => status.run(form),
            Command::Kv(kv) => kv.run(form),
            Command::Member(member) => member.run(form),
            Command::Ca(ca) => ca.run(form),
            Command::Backup(backup) => backup.run(form),
            Command::Restore(restore) => restore.run(form),
            Command::Sim(sim) => sim.run(form),
            Command::Scenario(scenario) => scenario.run(form),
            Command::Bench(bench) => bench.run(form),
            Command::Chaos(chaos) => chaos.run(form),
            Command::Check(check) => check.run(form),
            Command::Lab(lab) => lab.run(form),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_table_of_commands_is_sound() {
        Cli::command().debug_assert();
    }
}
