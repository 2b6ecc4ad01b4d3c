//! The subcommands of `synod kv`.

use clap::{Args, Subcommand};

use super::{delete, get, import, put, range, verify, watch};
use crate::client::Connection;
use crate::failure::Failure;
use crate::output::Form;

/// Reads and writes the replicated map.
#[derive(Args, Debug)]
pub(crate) struct KvCommand {
    #[command(subcommand)]
    deed: Deed,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Subcommand, Debug)]
enum Deed {
    Put(put::Put),
    Get(get::Get),
    Delete(delete::Delete),
    Range(range::Range),
    Watch(watch::Watch),
    Import(import::Import),
    Verify(verify::Verify),
}

impl KvCommand {
    /// Does it.
    ///
    /// # Errors
    /// The sentence says what was refused or failed.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        match self.deed {
            Deed::Put(put) => put.run(&self.connection, form),
            Deed::Get(get) => get.run(&self.connection, form),
            Deed::Delete(delete) => delete.run(&self.connection, form),
            Deed::Range(range) => range.run(&self.connection, form),
            Deed::Watch(watch) => watch.run(&self.connection, form),
            Deed::Import(import) => import.run(&self.connection, form),
            Deed::Verify(verify) => verify.run(&self.connection, form),
        }
    }
}
