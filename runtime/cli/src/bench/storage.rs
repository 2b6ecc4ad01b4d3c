//! `synod bench storage`: how long a node takes to serve again that restarts with a long log, and how much memory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use futures_util::{StreamExt, TryStreamExt};
use rustix::fs::{Advice, fadvise};
use serde::{Deserialize, Serialize};
use synod::node::{Node, RaftConfig};
use synod::services::replicated::Replicated;
use synod::transport::{Authority, Identity, Validity};

use crate::bench::echo::failure;
use crate::bench::figure::{Figure, Figures};
use crate::bench::length::Length;
use crate::failure::Failure;
use crate::output::{Form, print};

/// How often the node restarts.
const TIMES: usize = 3;
/// Commands under way while the log is filled.
const AT_ONCE: usize = 512;
/// How long one command may take, and the whole log when it is applied anew.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long each phase of an end may take.
const GRACE: Duration = Duration::from_secs(10);
const NAME: &str = "storage";
const SERVICE: &str = "lengths";

/// A node restarts with a long log and no snapshot, in a process of its own, with its files in the page cache and without: time and
/// memory until it is there, and until everything is applied again.
///
/// The log is that of a replicated service with one member, which adds the lengths of what it is told. Every record is read
/// and checked when the log opens.
#[derive(Args, Debug)]
pub(crate) struct StorageCommand {
    /// How large the log is, in MiB.
    #[arg(long, default_value_t = 1024)]
    log_mib: u64,
    /// How large a command is, in bytes.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    entry_bytes: u32,
    /// Where the log is made; by default where temporary files are.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Restarts the node there, and says what that took.
    #[arg(long, hide = true)]
    open: Option<PathBuf>,
}

/// What a restart took, from the start of the process, and what it found.
#[derive(Debug, Deserialize, Serialize)]
struct Restarted {
    open_ms: f64,
    ready_ms: f64,
    applied_ms: f64,
    ready_peak_mib: f64,
    applied_peak_mib: f64,
    bytes: u64,
}

impl StorageCommand {
    /// Measures.
    ///
    /// # Errors
    /// When the disk refuses something, or a restarted node does not have what was written.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        let system = actix_rt::System::new();
        if let Some(directory) = &self.open {
            let restarted = system.block_on(restart(directory))?;
            return print(serde_json::to_string(&restarted).map_err(failure)?);
        }
        let place = self.dir.clone().unwrap_or_else(std::env::temp_dir);
        let directory = tempfile::tempdir_in(place).map_err(failure)?;
        let mut figures = Figures::new(form);
        let speed = system.block_on(self.fill(directory.path()))?;
        let name =
            |what: &str| format!("log of {} MiB, commands of {} B: {what}", self.log_mib, self.entry_bytes);
        figures.add(Figure::of(name("written"), "MiB/s", vec![speed]))?;
        for (cache, cached) in [("from the page cache", true), ("from the disk", false)] {
            let mut all = Vec::new();
            for _ in 0..TIMES {
                if !cached {
                    drop_cache(&directory.path().join("log")).map_err(failure)?;
                }
                all.push(self.restart_in_a_process(directory.path())?);
            }
            let mut add = |what: &str, unit, value: fn(&Restarted) -> f64| {
                let name = name(&format!("{what}, {cache}"));
                figures.add(Figure::of(name, unit, all.iter().map(value).collect()))
            };
            add("log open", "ms", |it| it.open_ms)?;
            add("machine hosted", "ms", |it| it.ready_ms)?;
            add("all applied", "ms", |it| it.applied_ms)?;
            add("largest memory until hosted", "MiB", |it| it.ready_peak_mib)?;
            add("largest memory until applied", "MiB", |it| it.applied_peak_mib)?;
        }
        figures.finish()
    }

    /// Tells the service what makes its log as large as it should be; gives the speed.
    async fn fill(&self, directory: &Path) -> Result<f64, Failure> {
        let node = start(directory).await?;
        let service = serve(&node).await?;
        let command = Bytes::from(vec![0x5A; self.entry_bytes as usize]);
        let start = Instant::now();
        let told = futures_util::stream::iter(0..self.commands())
            .map(|_| service.execute_unsessioned(&command, PATIENCE))
            .buffer_unordered(AT_ONCE)
            .try_for_each(|_| std::future::ready(Ok(())));
        told.await.map_err(failure)?;
        let seconds = start.elapsed().as_secs_f64();
        node.shutdown(GRACE).await;
        Ok(self.log_mib as f64 / seconds)
    }

    fn restart_in_a_process(&self, directory: &Path) -> Result<Restarted, Failure> {
        let program = std::env::current_exe().map_err(failure)?;
        let output = Command::new(program)
            .args(["bench", "storage", "--open"])
            .arg(directory)
            .output()
            .map_err(failure)?;
        if !output.status.success() {
            return Err(Failure::new(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        let restarted: Restarted = serde_json::from_slice(&output.stdout).map_err(failure)?;
        let written = self.commands() * u64::from(self.entry_bytes);
        if restarted.bytes == written {
            Ok(restarted)
        } else {
            Err(Failure::new(format!("{written} bytes were written, {} came back", restarted.bytes)))
        }
    }

    fn commands(&self) -> u64 {
        (self.log_mib << 20).div_ceil(u64::from(self.entry_bytes))
    }
}

/// A node that takes no snapshots.
async fn start(directory: &Path) -> Result<Node, Failure> {
    let authority = Authority::create("bench", Validity::days(1)).map_err(failure)?;
    let raft = RaftConfig { snapshot_entries: u64::MAX, snapshot_bytes: u64::MAX, ..RaftConfig::default() };
    let identity = Identity::brief(&authority, NAME).map_err(failure)?;
    Node::builder("bench", NAME).tls(identity).directory(directory).raft(raft).start().await.map_err(failure)
}

async fn serve(node: &Node) -> Result<Replicated<Length>, Failure> {
    node.replicated(SERVICE, [NAME], Length::default()).await.map_err(failure)
}

async fn restart(directory: &Path) -> Result<Restarted, Failure> {
    let start_of_process = Instant::now();
    let since = || start_of_process.elapsed().as_secs_f64() * 1_000.0;
    let node = start(directory).await?;
    let open_ms = since();
    let service = serve(&node).await?;
    let (ready_ms, ready_peak_mib) = (since(), peak_mib()?);
    let (bytes, _) = service.query_here((), PATIENCE).await.map_err(failure)?;
    let (applied_ms, applied_peak_mib) = (since(), peak_mib()?);
    node.shutdown(GRACE).await;
    Ok(Restarted { open_ms, ready_ms, applied_ms, ready_peak_mib, applied_peak_mib, bytes })
}

/// Lets the operating system forget the files of a directory.
fn drop_cache(directory: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let file = File::open(entry?.path())?;
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}

/// The most memory this process has held so far, in MiB.
fn peak_mib() -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status").map_err(failure)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0).ok_or_else(|| Failure::new("/proc/self/status has no VmHWM"))
}
