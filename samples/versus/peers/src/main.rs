//! The peers of synod's messages: each is measured by itself, in two processes of this program or of its own, and told in lines of JSON
//! whose names are those of `synod bench messaging`.

mod actix_local;
// Files of `synod bench`: who is compared is measured alike.
#[path = "../../../../runtime/cli/src/bench/at_once.rs"]
mod at_once;
mod child;
mod command;
mod erlang;
mod kameo_remote;
#[path = "../../../../runtime/cli/src/bench/latency.rs"]
mod latency;
mod line;
mod load;
mod quinn_limit;
mod ractor_remote;

use std::process::ExitCode;

use clap::Parser;

use crate::command::PeersCommand;

/// What synod's program has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match PeersCommand::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("versus-peers: {failure}");
            ExitCode::FAILURE
        }
    }
}
