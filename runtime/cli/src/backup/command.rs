//! The options of `synod backup`, and which of its deeds they ask for.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::Args;
use synod::node::{KV, NodeConfig};
use synod::services::kv::Map;
use synod::storage::{BackupHeader, BackupReader};

use super::copy::{bar, reading};
use super::online;
use super::report::Report;
use super::target::Target;
use crate::client::Connection;
use crate::failure::Failure;
use crate::output::{Form, print, print_json};

/// Writes the state of the replicated map to a file, with everything in it by which it can be verified and restored.
///
/// It is taken from a running node: a consistent state that contains everything acknowledged before, while the cluster goes on. When a
/// node dies meanwhile, the next one is asked for one of its own.
#[derive(Args, Debug)]
pub(crate) struct BackupCommand {
    /// The file. It is not replaced if it is there, and not there before it is whole and durable.
    file: PathBuf,
    /// Take nothing: verify the backup in the file, and tell what it is.
    #[arg(long)]
    check: bool,
    /// Take it from the directory of a node that does not run: the node's configuration, in TOML. It holds all of this node's log, so
    /// take the node that is furthest.
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    config: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

impl BackupCommand {
    /// Does it.
    ///
    /// # Errors
    /// One sentence on what was refused, is damaged, or did not answer.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        let (header, bytes) = if self.check {
            check(&self.file)?
        } else {
            let target = Target::new(&self.file)?;
            let taken = match &self.config {
                Some(config) => take_resting(config, &target)?,
                None => online::take(&self.connection, &target)?,
            };
            target.keep()?;
            taken
        };
        let report = Report::new(&self.file, header, bytes);
        match form {
            Form::People => print(report.text()),
            Form::Programs => print_json(&report),
        }
    }
}

fn take_resting(config: &Path, target: &Target) -> Result<(BackupHeader, u64), Failure> {
    let node = NodeConfig::from_file(config, &[]).map_err(|error| Failure::new(error.to_string()))?;
    target.begin()?;
    let taken = actix_rt::System::new().block_on(node.back_up(KV, Map::default(), target.part()));
    taken.map_err(|fault| Failure::new(fault.to_string()))
}

fn check(file: &Path) -> Result<(BackupHeader, u64), Failure> {
    let opened = File::open(file).map_err(|error| Failure::at(file, "read it", error))?;
    let length = opened.metadata().map_err(|error| Failure::at(file, "read it", error))?.len();
    let bar = bar(Some(length), "verifying");
    let verified =
        BackupReader::open(reading(BufReader::new(opened), &bar), file).and_then(BackupReader::verify);
    bar.finish_and_clear();
    Ok((verified.map_err(|fault| Failure::new(fault.to_string()))?, length))
}
