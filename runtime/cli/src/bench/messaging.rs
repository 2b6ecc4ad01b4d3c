//! `synod bench messaging`: messages of 64 bytes between two processes on this machine, and inside one.

use std::io::{BufRead, BufReader};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::Args;
use synod::prelude::*;
use synod::transport::Role;

use crate::bench::echo::{failure, identity, spread_name};
use crate::bench::figure::{Figure, Figures};
use crate::bench::messages::{ASKER, CLUSTER, ECHO, SPREAD, Sink};
use crate::bench::remote::Telling;
use crate::bench::runs::{Runs, TIMES};
use crate::bench::{local, remote, topic};
use crate::client::seconds;
use crate::failure::Failure;
use crate::output::Form;

/// How long the nodes may take to find each other.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many asks are under way.
const AT_ONCE: [usize; 3] = [1, 64, 1_024];
/// How many tell at once where many do, each another actor.
const SENDERS: usize = 64;

/// Typed messages with a payload of 64 bytes through references: to another process over QUIC with mutual TLS, and on one node.
///
/// Both processes share this machine, so the figures are those of half of it.
#[derive(Args, Debug)]
pub(crate) struct MessagingCommand {
    /// How many seconds each figure takes.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    seconds: Duration,
    /// In how many runs.
    #[arg(long, value_name = "N", default_value_t = TIMES, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

/// The process that answers; it ends when this is dropped.
struct Echo {
    child: Child,
    address: String,
}

impl Default for MessagingCommand {
    fn default() -> Self {
        Self { seconds: Duration::from_secs(5), runs: TIMES }
    }
}

impl MessagingCommand {
    /// Measures and prints.
    ///
    /// # Errors
    /// When the other process does not start, or a message is lost.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        let directory = tempfile::Builder::new().prefix("synod-bench-").tempdir();
        let directory =
            directory.map_err(|error| Failure::new(format!("cannot make a temporary directory: {error}")))?;
        let authority = Authority::create(CLUSTER, Validity::days(2))?;
        for name in [ECHO, ASKER] {
            let name = PeerName::new(name).expect("the benchmark's names are names");
            authority.issue(&name, Role::Member, Validity::days(2))?.save(directory.path())?;
        }
        let echo = Echo::start(directory.path())?;
        let identity = identity(directory.path(), ASKER)?;
        let runs = Runs::within(self.seconds, self.runs);
        let mut figures = Figures::new(form);
        actix_rt::System::new().block_on(async {
            let builder = Node::builder(CLUSTER, ASKER).tls(identity).places(NonZeroUsize::MIN);
            let builder = builder.peer(ECHO, &echo.address).map_err(failure)?;
            let node = builder.start().await.map_err(failure)?;
            measure_remote(&node, runs, &mut figures).await?;
            topic::measure(&node, runs, &mut figures).await?;
            local::measure(&node, runs, &mut figures).await?;
            local::spawn(&node, &mut figures).await?;
            node.shutdown(Duration::from_secs(1)).await;
            Ok::<(), Failure>(())
        })?;
        figures.finish()
    }
}

async fn measure_remote(node: &Node, runs: Runs, figures: &mut Figures) -> Result<(), Failure> {
    let sink = node.wait_for::<Sink>("sink", PATIENCE).await.map_err(failure)?;
    let mut spread = Vec::new();
    for number in 0..SPREAD {
        spread.push(node.lookup::<Sink>(&spread_name(number)).await.map_err(failure)?);
    }
    let one = Telling::to(std::slice::from_ref(&sink));
    for (name, telling) in [
        ("remote_tell_1", one),
        ("remote_tell_64", Telling { senders: SENDERS, ..Telling::to(&spread[..SENDERS]) }),
        ("remote_tell_1000", Telling::to(&spread)),
        ("remote_tell_1k", Telling { payload: 1 << 10, ..one }),
        ("remote_tell_64k", Telling { payload: 64 << 10, ..one }),
    ] {
        figures.add(Figure::of(name, "messages/s", remote::tells(telling, runs).await?))?;
    }
    for at_once in AT_ONCE {
        let results = remote::asks(&sink, at_once, runs).await?;
        remote::add_asks(&format!("remote_ask_{at_once}"), &results, figures)?;
    }
    let beside = remote::asks_beside_bulk(&sink, &spread[0], runs).await?;
    let p99 = beside.iter().map(|(_, latencies)| latencies.quantile_us(0.99)).collect();
    figures.add(Figure::of("remote_ask_1_p99_beside_bulk", "us", p99))
}

impl Echo {
    fn start(directory: &Path) -> Result<Self, Failure> {
        let binary = std::env::current_exe()
            .map_err(|error| Failure::new(format!("cannot find the path of this program: {error}")))?;
        let mut command = Command::new(&binary);
        command.args(["bench", "echo", "--dir"]).arg(directory);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let child = child.map_err(|error| Failure::at(&binary, "run it", error))?;
        let mut echo = Self { child, address: String::new() };
        let output = echo.child.stdout.take().expect("it was asked for");
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        if !read.is_ok_and(|size| size > 0) {
            return Err(Failure::new("the process that answers did not start"));
        }
        echo.address = line.trim().to_owned();
        Ok(echo)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It ends with its standard input; errors mean that it has ended before.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
