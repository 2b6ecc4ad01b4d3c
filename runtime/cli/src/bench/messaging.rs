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
use crate::bench::latency::Latencies;
use crate::bench::messages::{ASKER, CLUSTER, Drain, ECHO, SPREAD, Sink};
use crate::bench::runs::Runs;
use crate::bench::{local, remote};
use crate::client::seconds;
use crate::failure::Failure;
use crate::output::Form;

/// How long the nodes may take to find each other.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many asks are under way.
const AT_ONCE: [usize; 2] = [64, 1_024];

/// Typed messages with a payload of 64 bytes through references: to another process over QUIC with mutual TLS, and on one node.
///
/// Both processes share this machine, so the figures are those of half of it.
#[derive(Args, Debug)]
pub(crate) struct MessagingCommand {
    /// How many seconds each figure takes.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    seconds: Duration,
}

/// The process that answers; it ends when this is dropped.
struct Echo {
    child: Child,
    address: String,
}

impl Default for MessagingCommand {
    fn default() -> Self {
        Self { seconds: Duration::from_secs(5) }
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
        let runs = Runs::within(self.seconds);
        let mut figures = Figures::new(form);
        actix_rt::System::new().block_on(async {
            let builder = Node::builder(CLUSTER, ASKER).tls(identity).places(NonZeroUsize::MIN);
            let builder = builder.peer(ECHO, &echo.address).map_err(failure)?;
            let node = builder.start().await.map_err(failure)?;
            measure_remote(&node, runs, &mut figures).await?;
            measure_local(&node, runs, &mut figures).await?;
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
    let one = remote::tells(std::slice::from_ref(&sink), runs).await?;
    figures.add(Figure::of("remote_tell_1", "messages/s", one))?;
    figures.add(Figure::of("remote_tell_1000", "messages/s", remote::tells(&spread, runs).await?))?;
    let results = remote::asks(&sink, 1, runs).await?;
    let part = |part: f64| results.iter().map(move |(_, latencies)| latencies.quantile_us(part)).collect();
    figures.add(Figure::of("remote_ask_1_p50", "us", part(0.5)))?;
    figures.add(Figure::of("remote_ask_1_p99", "us", part(0.99)))?;
    for at_once in AT_ONCE {
        let results = remote::asks(&sink, at_once, runs).await?;
        let rate = |(took, latencies): &(Duration, Latencies)| latencies.count() as f64 / took.as_secs_f64();
        let name = format!("remote_ask_{at_once}");
        figures.add(Figure::of(&name, "asks/s", results.iter().map(rate).collect()))?;
        let part =
            |part: f64| results.iter().map(move |(_, latencies)| latencies.quantile_us(part)).collect();
        figures.add(Figure::of(format!("{name}_p50"), "us", part(0.5)))?;
        figures.add(Figure::of(format!("{name}_p99"), "us", part(0.99)))?;
    }
    Ok(())
}

async fn measure_local(node: &Node, runs: Runs, figures: &mut Figures) -> Result<(), Failure> {
    let sink = node.spawn("local", Drain::default).await.map_err(failure)?.reference::<Sink>();
    let same = local::same_thread(node, &sink, runs).await?;
    figures.add(Figure::of("local_tell_same", "messages/s", same))?;
    let cross = local::other_thread(&sink, runs).await?;
    figures.add(Figure::of("local_tell_cross", "messages/s", cross))
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
