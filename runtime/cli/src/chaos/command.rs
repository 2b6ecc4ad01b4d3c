//! The course of a run: start, load under faults, peace, the last reads, the verdict.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use synod::protocols::prng::Prng;
use synod::protocols::sim::check::Model;
use tempfile::TempDir;

use super::card::{Card, FaultRow};
use super::client::Work;
use super::cluster::Cluster;
use super::fault::Fault;
use super::http::Reads;
use super::nemesis::Nemesis;
use super::recorder::Recorder;
use super::schedule::Schedule;
use super::small_disk::{SmallDisk, enter_namespace};
use crate::check::{Limits, judge};
use crate::client::seconds;
use crate::failure::Failure;
use crate::output::{Form, print, print_json};
use crate::signals::stop_requests;

/// How long the cluster may take until it is well, at first and after the last fault.
const PATIENCE: Duration = Duration::from_secs(30);
/// The exit code when there is no verdict.
const UNKNOWN: u8 = 2;

/// Runs clients against a cluster of real processes while faults strike, and checks what the clients saw.
///
/// The nodes are processes on this machine, and a proxy in this one carries their datagrams. Exits with 0 when the history is
/// linearizable, 1 when it is not, 2 when that is unknown. Nothing is left behind but the history.
#[derive(Args, Debug)]
pub(crate) struct ChaosCommand {
    /// How many nodes.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=9))]
    nodes: u16,
    /// For how many seconds clients ask and faults strike.
    #[arg(long = "for", value_name = "SECS", default_value = "60", value_parser = seconds)]
    duration: Duration,
    /// The kinds of faults.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Fault::ALL)]
    faults: Vec<Fault>,
    /// Where the history goes, in JSON lines as `synod check --model cas-register` reads it.
    #[arg(long, value_name = "FILE")]
    history: PathBuf,
    /// What targets, moments and questions are drawn from; without it, one that nobody has seen.
    #[arg(long)]
    seed: Option<u64>,
    /// How many clients ask at once.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=256))]
    clients: u64,
    /// How many keys they ask about.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    keys: u16,
    /// What reads are asked for; with stale ones a run should be judged not linearizable, which shows that it would find such reads.
    #[arg(long, value_enum, default_value = "linearizable")]
    reads: Reads,
    /// Whether this process has a mount namespace of its own.
    #[arg(long, hide = true)]
    own_mounts: bool,
}

/// Hears of Ctrl-C, once and for all.
struct Stop {
    requests: Receiver<&'static str>,
    asked: AtomicBool,
}

impl ChaosCommand {
    /// Does it.
    ///
    /// # Errors
    /// When the cluster does not start or does not recover, and when the history is not linearizable or that is unknown.
    pub(crate) fn run(mut self, form: Form) -> Result<(), Failure> {
        self.faults.sort_unstable();
        self.faults.dedup();
        let mounts = self.own_mounts();
        let stop = Stop { requests: stop_requests()?, asked: AtomicBool::new(false) };
        let seed = match self.seed {
            Some(seed) => seed,
            None => getrandom::u32()
                .map(u64::from)
                .map_err(|error| Failure::new(format!("no randomness: {error}")))?,
        };
        let recorder = Recorder::create(&self.history)?;
        let root = tempfile::Builder::new().prefix("synod-chaos-").tempdir();
        let root =
            root.map_err(|error| Failure::new(format!("cannot make a temporary directory: {error}")))?;
        let outcome = self.strike(&root, seed, &recorder, mounts, &stop);
        let closed = root.close().map_err(|error| Failure::new(format!("cannot clean up: {error}")));
        let (rows, settled, seconds) = outcome?;
        closed?;
        recorder.finish()?;
        let findings = judge(&self.history, Model::CasRegister, Limits::default())?;
        let card = Card {
            seed,
            nodes: usize::from(self.nodes),
            clients: self.clients,
            keys: usize::from(self.keys),
            seconds,
            tally: recorder.tally(),
            rows,
            settled,
            findings,
        };
        match form {
            Form::People => print(card.text())?,
            Form::Programs => print_json(&card.json())?,
        }
        self.conclude(&card)
    }

    /// Starts again in a mount namespace of its own when a fault needs one; gives why there is none.
    fn own_mounts(&self) -> Result<(), String> {
        if self.own_mounts || !self.faults.contains(&Fault::DiskFull) {
            return Ok(());
        }
        let arguments: Vec<String> = std::env::args().skip(1).chain(["--own-mounts".to_owned()]).collect();
        Err(enter_namespace(&arguments))
    }

    /// Everything that needs the processes; they are gone when it returns.
    fn strike(
        &self,
        root: &TempDir,
        seed: u64,
        recorder: &Recorder,
        mounts: Result<(), String>,
        stop: &Stop,
    ) -> Result<(Vec<FaultRow>, Option<Duration>, f64), Failure> {
        let mut prng = Prng::fork(seed, 0x4E3E);
        let places = Cluster::places(root.path(), self.nodes)?;
        let small_disk = mounts.and_then(|()| {
            if !self.faults.contains(&Fault::DiskFull) {
                return Err("nobody asked for it".to_owned());
            }
            let node = prng.below(u64::from(self.nodes)) as usize;
            SmallDisk::mount(&places[node].data()).map(|disk| (node, disk))
        });
        // Dropped in the opposite order: the processes end before their disk is taken away.
        let mut nemesis = Nemesis { recorder, prng, small_disk, entries: Vec::new() };
        let mut cluster = Cluster::start(root.path(), places, seed)?;
        if !cluster.settle(PATIENCE, || stop.asked())? {
            return Err(stop.reason(&format!("the cluster did not start within {PATIENCE:?}")));
        }
        let begun = Instant::now();
        let settled = self.load(seed, recorder, &mut cluster, &mut nemesis, stop)?;
        cluster.stop();
        let rows = self.faults.iter().map(|&fault| FaultRow::of(fault, &nemesis.entries, recorder)).collect();
        Ok((rows, settled, begun.elapsed().as_secs_f64()))
    }

    /// Clients ask, faults strike; then peace, and the last reads. Gives how long it took until all nodes were well.
    fn load(
        &self,
        seed: u64,
        recorder: &Recorder,
        cluster: &mut Cluster,
        nemesis: &mut Nemesis<'_>,
        stop: &Stop,
    ) -> Result<Option<Duration>, Failure> {
        let (endpoints, written, over) = (cluster.endpoints(), AtomicU64::new(0), AtomicBool::new(false));
        let keys: Vec<String> = (0..self.keys).map(|key| format!("key-{key}")).collect();
        let work = Work {
            endpoints: &endpoints,
            keys: &keys,
            clients: self.clients,
            reads: self.reads,
            recorder,
            stop: &over,
            written: &written,
            seed,
        };
        let settled = thread::scope(|scope| {
            for number in 0..self.clients {
                let work = &work;
                scope.spawn(move || work.run(number));
            }
            let settled = self.strike_until_time_is_up(seed, cluster, nemesis, stop);
            over.store(true, Ordering::Relaxed);
            settled
        })?;
        if stop.asked() {
            return Err(stop.reason(""));
        }
        work.read_all();
        Ok(settled)
    }

    fn strike_until_time_is_up(
        &self,
        seed: u64,
        cluster: &mut Cluster,
        nemesis: &mut Nemesis<'_>,
        stop: &Stop,
    ) -> Result<Option<Duration>, Failure> {
        let mut schedule = Schedule::new(seed, &self.faults, usize::from(self.nodes));
        let (begun, bar) = (Instant::now(), bar(self.duration));
        let deadline = begun + self.duration;
        let pause = |duration: Duration| {
            bar.set_position(begun.elapsed().as_secs());
            stop.wait(duration.min(deadline.saturating_duration_since(Instant::now())));
        };
        pause(Duration::from_secs(1));
        while Instant::now() < deadline && !stop.asked() {
            let Some(round) = schedule.next() else {
                pause(self.duration);
                continue;
            };
            bar.set_message(round.first.to_string());
            let first = nemesis.begin(cluster, &round.first)?;
            pause(round.lasts / 2);
            let second = round.second.map(|act| nemesis.begin(cluster, &act)).transpose()?;
            pause(round.lasts / 2);
            nemesis.end(cluster, first)?;
            if let Some(second) = second {
                pause(round.lasts / 2);
                nemesis.end(cluster, second)?;
            }
            pause(round.quiet);
        }
        bar.finish_and_clear();
        let peace = Instant::now();
        let well = cluster.settle(PATIENCE, || stop.asked())?;
        Ok(well.then(|| peace.elapsed()))
    }

    fn conclude(&self, card: &Card) -> Result<(), Failure> {
        let history = self.history.display();
        let failure =
            |sentence: String, code| Err(Failure::new(format!("{history}: {sentence}")).with_code(code));
        match card.findings.code() {
            0 if card.unnoticed() > 0 => failure("linearizable, but damage went unnoticed".to_owned(), 1),
            0 if card.tally.ok == 0 => {
                failure("no operation succeeded, which says nothing".to_owned(), UNKNOWN)
            }
            0 if card.settled.is_none() => {
                failure(format!("linearizable, but not all nodes were well within {PATIENCE:?}"), 1)
            }
            0 => Ok(()),
            code => failure(card.findings.sentence(), code),
        }
    }
}

fn bar(duration: Duration) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{wide_bar} {pos}/{len} s  {msg}").expect("the template is sound");
    ProgressBar::new(duration.as_secs()).with_style(style)
}

impl Stop {
    /// Waits, and less long when somebody wants an end.
    fn wait(&self, duration: Duration) {
        match self.requests.recv_timeout(duration) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(_) | Err(RecvTimeoutError::Disconnected) => self.asked.store(true, Ordering::Relaxed),
        }
    }

    fn asked(&self) -> bool {
        self.wait(Duration::ZERO);
        self.asked.load(Ordering::Relaxed)
    }

    /// Why the run ended early.
    fn reason(&self, otherwise: &str) -> Failure {
        let sentence = if self.asked() { "interrupted, no verdict" } else { otherwise };
        Failure::new(sentence).with_code(UNKNOWN)
    }
}
