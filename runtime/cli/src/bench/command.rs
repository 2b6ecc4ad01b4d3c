//! The table of benchmarks.

use clap::{Args, Subcommand};

use crate::bench::echo::EchoCommand;
use crate::bench::kv::KvCommand;
use crate::bench::messaging::MessagingCommand;
use crate::failure::Failure;
use crate::output::Form;

/// Measures this machine: each figure several times, with the smallest, the middle and the largest result.
#[derive(Args, Debug)]
pub(crate) struct BenchCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Messaging(MessagingCommand),
    Kv(KvCommand),
    #[command(hide = true)]
    Echo(EchoCommand),
}

impl BenchCommand {
    /// Does it.
    ///
    /// # Errors
    /// When a process does not start, or an answer is wrong.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        match self.what {
            What::Messaging(messaging) => messaging.run(form),
            What::Kv(kv) => kv.run(form),
            What::Echo(echo) => echo.run(),
        }
    }
}
