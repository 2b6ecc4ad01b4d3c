//! The table of benchmarks.

use clap::{Args, Subcommand};

use crate::bench::echo::EchoCommand;
use crate::bench::groups::GroupsCommand;
use crate::bench::kv::KvCommand;
use crate::bench::messaging::MessagingCommand;
use crate::bench::storage::StorageCommand;
use crate::failure::Failure;
use crate::output::Form;

/// Measures this machine: each figure several times, with the smallest, the middle and the largest result. Without a name, messaging and the map.
#[derive(Args, Debug)]
pub(crate) struct BenchCommand {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand, Debug)]
enum What {
    Messaging(MessagingCommand),
    Kv(KvCommand),
    Storage(StorageCommand),
    Groups(GroupsCommand),
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
            None => {
                MessagingCommand::default().run(form)?;
                KvCommand::default().run(form)
            }
            Some(What::Messaging(messaging)) => messaging.run(form),
            Some(What::Kv(kv)) => kv.run(form),
            Some(What::Storage(storage)) => storage.run(form),
            Some(What::Groups(groups)) => groups.run(form),
            Some(What::Echo(echo)) => echo.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        what: What,
    }

    #[test]
    fn what_is_measured_without_a_name_is_what_is_measured_by_default() {
        let parsed =
            |name: &str| Line::try_parse_from(["bench", name]).map(|line| format!("{:?}", line.what));
        assert_eq!(
            parsed("messaging").unwrap(),
            format!("{:?}", What::Messaging(MessagingCommand::default()))
        );
        assert_eq!(parsed("kv").unwrap(), format!("{:?}", What::Kv(KvCommand::default())));
    }
}
