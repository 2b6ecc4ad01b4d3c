//! synod beside its peers: the same work, the same payloads, the same clients, in the same run.

mod actors;
mod bare;
mod cell;
mod command;
mod cpu;
mod durable;
mod figures;
mod messaging;
mod program;
mod progress;
mod table;

use std::process::ExitCode;

use clap::Parser;

use crate::command::VersusCommand;

fn main() -> ExitCode {
    match VersusCommand::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("versus: {failure}");
            ExitCode::FAILURE
        }
    }
}
