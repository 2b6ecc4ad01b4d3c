//! The binary `synod`: a cluster to try, a node to run, and what operators ask of both.

mod bench;
mod ca;
mod client;
mod command;
mod demo;
mod ends;
mod failure;
mod kv;
mod logging;
mod node;
mod output;
#[cfg(test)]
mod scripted;
mod signals;
mod sim;
mod status;
mod table;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match command::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("synod: {failure}");
            ExitCode::FAILURE
        }
    }
}
