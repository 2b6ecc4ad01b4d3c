//! Messages between two processes on one machine, and within one: synod beside kameo, ractor_cluster and Erlang, with raw quinn and plain
//! actix as the limits.
//!
//! Our side is what `synod bench messaging` measures; the others are measured by the program in `peers/`, which is built when it is needed.

mod figure;
mod results;

use std::error::Error;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum;

use crate::figures::Form;
use crate::messaging::figure::figures_of;
use crate::messaging::results::Results;
use crate::program;
use crate::progress::Progress;

/// How thoroughly it is measured, and who.
pub(crate) struct Plan {
    /// How often each takes its turn.
    pub(crate) turns: u32,
    /// How long each figure takes in one turn.
    pub(crate) each: Duration,
    pub(crate) only: Vec<Contestant>,
    /// The program `synod`, if it need not be built.
    pub(crate) synod: Option<PathBuf>,
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Contestant {
    /// This repository, over QUIC with mutual TLS.
    Synod,
    /// kameo's remote actors, over libp2p's QUIC.
    Kameo,
    /// ractor_cluster, over TCP without TLS.
    Ractor,
    /// Erlang/OTP, over TCP without TLS.
    Erlang,
    /// quinn without actors: the limit of what goes over the wire.
    Quinn,
    /// actix without anything around it: the limit of what stays on a node.
    Actix,
}

/// Measures all in turns, and prints.
///
/// # Errors
/// When a peer is not installed, a program cannot be built, or a message fails.
pub(crate) fn compare(plan: &Plan, form: Form) -> Result<(), Box<dyn Error>> {
    if plan.only.contains(&Contestant::Erlang) {
        // Before minutes are spent on the others.
        look_for_erlang()?;
    }
    let ours = plan.only.contains(&Contestant::Synod);
    let synod = ours.then(|| program::synod(plan.synod.as_deref())).transpose()?;
    let others = plan.only.iter().any(|contestant| *contestant != Contestant::Synod);
    let peers = others.then(program::peers).transpose()?;
    let progress = Progress::new(plan.turns as usize * plan.only.len());
    let mut results = Results::default();
    for turn in 1..=plan.turns {
        for &contestant in &plan.only {
            let name = contestant.name();
            progress.begin(&name);
            let command = match (contestant, &synod, &peers) {
                (Contestant::Synod, Some(synod), _) => our_command(synod, plan.each),
                (_, _, Some(peers)) => peer_command(peers, &name, plan.each),
                (_, _, None) => return Err("its program was not built".into()),
            };
            let figures = figures_of(command)?;
            progress.finish();
            progress.say(&format!("turn {turn} of {}: {name}", plan.turns));
            results.add(contestant, figures);
        }
    }
    progress.clear();
    match form {
        Form::Programs => results.lines().iter().for_each(|line| println!("{line}")),
        Form::People => println!("messaging, medians of {} turns\n{}", plan.turns, results.table()),
    }
    Ok(())
}

fn our_command(synod: &PathBuf, each: Duration) -> Command {
    let mut command = Command::new(synod);
    command.args([
        "bench",
        "messaging",
        "--json",
        "--runs",
        "1",
        "--seconds",
        &each.as_secs_f64().to_string(),
    ]);
    command
}

fn peer_command(peers: &PathBuf, name: &str, each: Duration) -> Command {
    let mut command = Command::new(peers);
    command.args(["measure", name, "--milliseconds", &each.as_millis().to_string()]);
    command
}

fn look_for_erlang() -> Result<(), Box<dyn Error>> {
    let asked = Command::new("erl").arg("-version").output();
    asked.map(|_| ()).map_err(|error| {
        format!(
            "cannot run erl ({error}): install Erlang (Debian: apt-get install erlang-base), or compare without it: \
             --only synod,kameo,ractor,quinn,actix"
        )
        .into()
    })
}

impl Contestant {
    /// As on the command line and in tables.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Whether it has actors that talk over a network, and is not ours.
    pub(crate) const fn is_peer(self) -> bool {
        matches!(self, Self::Kameo | Self::Ractor | Self::Erlang)
    }

    /// Whether nothing with actors can be faster.
    pub(crate) const fn is_limit(self) -> bool {
        matches!(self, Self::Quinn | Self::Actix)
    }
}
