//! The binary `synod`: a cluster to try, a node to run, and what operators ask of both.

mod backup;
mod bench;
mod ca;
mod chaos;
mod check;
mod client;
mod command;
mod demo;
mod ends;
mod failure;
mod kv;
mod lab;
mod logging;
mod member;
mod node;
mod output;
mod processes;
mod restore;
mod scenario;
#[cfg(test)]
mod scripted;
mod signals;
mod sim;
mod status;
mod table;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// A node's memory is taken on one thread and given back on another, which glibc's allocator pays for with a fifth of the puts.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The exit code for arguments that make no sense (`EX_USAGE`); 1 and 2 are verdicts of some commands.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match command::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is left to tell when neither help nor a complaint can be written.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("synod: {failure}");
            ExitCode::from(failure.code())
        }
    }
}
