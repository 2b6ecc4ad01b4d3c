//! How long a long log takes to be opened again, and how much memory, in a process of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use clap::Args;
use rustix::fs::{Advice, fadvise};
use serde::{Deserialize, Serialize};
use synod::address::MachineId;
use synod::protocols::LogIndex;
use synod::storage::{DamagedLog, LogOptions, OpenStore, RealDisk, Store, ThreadWorker, Write, WriteFault};
use synod::telemetry::Metrics;

use crate::bench::echo::failure;
use crate::bench::figure::{Figure, Figures};
use crate::failure::Failure;
use crate::output::{Form, print};

const MACHINE: MachineId = MachineId(1);
/// How often the log is opened.
const TIMES: usize = 3;
/// How much is read back at once, as a machine does that starts.
const PIECE_BYTES: usize = 4 << 20;

/// Fills a log, then opens it in a process of its own, with its files in the page cache and without.
#[derive(Args, Debug)]
pub(crate) struct StorageCommand {
    /// How large the log is, in MiB.
    #[arg(long, default_value_t = 1024)]
    log_mib: u64,
    /// How large an entry is, in bytes.
    #[arg(long, default_value_t = 1024)]
    entry_bytes: usize,
    /// Where the log is made; by default where temporary files are.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Opens the log there and says what that took.
    #[arg(long, hide = true)]
    open: Option<PathBuf>,
}

/// What opening took.
#[derive(Debug, Deserialize, Serialize)]
struct Opened {
    open_ms: f64,
    read_ms: f64,
    entries: u64,
    open_mib: f64,
    peak_mib: f64,
}

impl StorageCommand {
    /// Measures.
    ///
    /// # Errors
    /// When the disk refuses something.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        let system = actix_rt::System::new();
        if let Some(directory) = &self.open {
            let opened = system.block_on(open(directory))?;
            return print(serde_json::to_string(&opened).map_err(failure)?);
        }
        let place = self.dir.clone().unwrap_or_else(std::env::temp_dir);
        let directory = tempfile::tempdir_in(place).map_err(failure)?;
        let mut figures = Figures::new(form);
        let filled = system.block_on(self.fill(directory.path()))?;
        let name =
            |what: &str| format!("log of {} MiB, entries of {} B: {what}", self.log_mib, self.entry_bytes);
        figures.add(Figure::of(name("append"), "MiB/s", vec![filled]))?;
        for (cache, cached) in [("from the page cache", true), ("from the disk", false)] {
            let mut all = Vec::new();
            for _ in 0..TIMES {
                if !cached {
                    drop_cache(&directory.path().join("log")).map_err(failure)?;
                }
                all.push(in_a_process(directory.path())?);
            }
            let of = |value: fn(&Opened) -> f64| all.iter().map(value).collect::<Vec<_>>();
            figures.add(Figure::of(name(&format!("open {cache}")), "ms", of(|opened| opened.open_ms)))?;
            figures.add(Figure::of(
                name(&format!("then read back, {cache}")),
                "ms",
                of(|opened| opened.read_ms),
            ))?;
            figures.add(Figure::of(name("memory when open"), "MiB", of(|opened| opened.open_mib)))?;
            figures.add(Figure::of(name("largest memory"), "MiB", of(|opened| opened.peak_mib)))?;
        }
        figures.finish()
    }

    /// Appends until the log is as large as it should be; gives the speed.
    async fn fill(&self, directory: &Path) -> Result<f64, Failure> {
        let store = store(directory).await?;
        let body = Bytes::from(vec![0x5A; self.entry_bytes]);
        let per_batch = ((1 << 20) / self.entry_bytes).max(1) as u64;
        let (start, mut index, mut bytes) = (Instant::now(), 0, 0);
        while bytes < self.log_mib << 20 {
            let writes = (index + 1..=index + per_batch)
                .map(|index| Write::Entry { index: LogIndex(index), body: body.clone() })
                .collect();
            let (sender, written) = tokio::sync::oneshot::channel::<Result<(), WriteFault>>();
            store.log().write(vec![(MACHINE, writes)], move |outcome| drop(sender.send(outcome)));
            written.await.map_err(failure)?.map_err(failure)?;
            index += per_batch;
            bytes += per_batch * self.entry_bytes as u64;
        }
        let seconds = start.elapsed().as_secs_f64();
        store.close().await.map_err(failure)?;
        Ok(self.log_mib as f64 / seconds)
    }
}

async fn store(directory: &Path) -> Result<Store, Failure> {
    let worker = |name| ThreadWorker::start(name).map(Arc::new).map_err(failure);
    let request = OpenStore {
        disk: Arc::new(RealDisk::new(directory).map_err(failure)?),
        log_worker: worker("log")?,
        snapshot_worker: worker("snapshots")?,
        options: LogOptions::default(),
        damaged: DamagedLog::Refuse,
        seed: 1,
        metrics: Metrics::default(),
    };
    Ok(Store::opened(request).await.map_err(failure)?.0)
}

async fn open(directory: &Path) -> Result<Opened, Failure> {
    let start = Instant::now();
    let store = store(directory).await?;
    let open_ms = start.elapsed().as_secs_f64() * 1_000.0;
    let open_mib = memory("VmRSS:")?;
    let start = Instant::now();
    let found = store.recover(MACHINE).map_err(failure)?;
    let (mut last, mut entries) = (found.after, 0);
    while last < found.last {
        let piece = store.entries(MACHINE, last.next(), found.last, PIECE_BYTES).await.map_err(failure)?;
        entries += piece.len() as u64;
        last = piece.last().map_or(found.last, |(index, _)| *index);
    }
    let read_ms = start.elapsed().as_secs_f64() * 1_000.0;
    Ok(Opened { open_ms, read_ms, entries, open_mib, peak_mib: memory("VmHWM:")? })
}

fn in_a_process(directory: &Path) -> Result<Opened, Failure> {
    let program = std::env::current_exe().map_err(failure)?;
    let output = Command::new(program)
        .args(["bench", "storage", "--open"])
        .arg(directory)
        .output()
        .map_err(failure)?;
    if !output.status.success() {
        return Err(Failure::new(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    serde_json::from_slice(&output.stdout).map_err(failure)
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

/// A value of this process's memory, in MiB.
fn memory(key: &str) -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status").map_err(failure)?;
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0).ok_or_else(|| Failure::new(format!("/proc/self/status has no {key}")))
}
