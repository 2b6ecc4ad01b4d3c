//! What can be compared, and how thoroughly.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cell::Cell;
use crate::figures::{Figures, Form};
use crate::messaging::Contestant;
use crate::progress::Progress;
use crate::{actors, bare, durable, messaging};

/// synod beside its peers: the same work, the same payloads, the same clients, in the same run.
#[derive(Debug, Parser)]
#[command(name = "versus")]
pub(crate) struct VersusCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Raft(RaftCommand),
    Messaging(MessagingCommand),
}

/// Consensus: openraft, raft-rs, OmniPaxos and etcd.
#[derive(Args, Debug)]
struct RaftCommand {
    /// One short repetition of everything: shows that it works, measures little.
    #[arg(long)]
    quick: bool,
    /// One line of JSON for each figure instead of tables.
    #[arg(long)]
    json: bool,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Bare, Part::Actors, Part::Durable])]
    only: Vec<Part>,
    /// How often each cell is measured, the contestants taking turns; the median counts.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// Only cells with so many clients.
    #[arg(long, value_name = "N,N,…", value_delimiter = ',')]
    clients: Vec<usize>,
    /// Only cells with so many bytes in a write; the durable part always writes 256.
    #[arg(long, value_name = "N,N,…", value_delimiter = ',')]
    payloads: Vec<usize>,
    /// Only these contestants, by the beginning of their names.
    #[arg(long, value_name = "NAME,NAME,…", value_delimiter = ',')]
    contestants: Vec<String>,
    /// The program `synod`; without it, the one of this repository is built.
    #[arg(long, value_name = "FILE")]
    synod: Option<PathBuf>,
    /// Below which directory the durable part keeps its data; without it, where temporary files go.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Messages: kameo, ractor_cluster and Erlang, with raw quinn and plain actix as the limits.
#[derive(Args, Debug)]
struct MessagingCommand {
    /// One short turn of everybody: shows that it works, measures little.
    #[arg(long)]
    quick: bool,
    /// One line of JSON for each figure instead of a table.
    #[arg(long)]
    json: bool,
    /// Only these.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Contestant::value_variants().to_vec())]
    only: Vec<Contestant>,
    /// How often each takes its turn; the median counts.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// How long each figure takes in one turn.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    milliseconds: u64,
    /// The program `synod`; without it, the one of this repository is built.
    #[arg(long, value_name = "FILE")]
    synod: Option<PathBuf>,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Three cores on one thread, messages carried by function calls, logs in memory.
    Bare,
    /// Three nodes as concurrent parts of one process, logs in memory.
    Actors,
    /// Three processes over loopback, every write synced to the disks of a majority.
    Durable,
}

/// A contestant, with how long it runs.
struct Run<F> {
    name: &'static str,
    run: F,
}

impl VersusCommand {
    /// Measures and prints.
    ///
    /// # Errors
    /// When a peer is missing, does not start, or a write fails.
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        match self.what {
            What::Raft(raft) => raft.run(),
            What::Messaging(messaging) => messaging.run(),
        }
    }
}

impl RaftCommand {
    fn run(self) -> Result<(), Box<dyn Error>> {
        if self.only.contains(&Part::Durable) {
            // Before minutes are spent on the other parts.
            durable::look_for_etcd()?;
        }
        let form = if self.json { Form::Programs } else { Form::People };
        for part in &self.only {
            match part {
                Part::Bare => self.bare(form),
                Part::Actors => self.actors(form),
                Part::Durable => self.durable(form)?,
            }
        }
        Ok(())
    }

    fn bare(&self, form: Form) {
        let writes = if self.quick { 5_000 } else { 200_000 };
        let runs =
            bare::contestants().map(|one| Run { name: one.name, run: move |cell| (one.run)(cell, writes) });
        self.compare(Figures::new(form, "bare", "writes a second of one core"), &runs);
    }

    fn actors(&self, form: Form) {
        let duration = Duration::from_millis(if self.quick { 50 } else { 1_000 });
        let runs = actors::contestants()
            .map(|one| Run { name: one.name, run: move |cell| (one.run)(cell, duration) });
        self.compare(Figures::new(form, "actors", "writes a second"), &runs);
    }

    /// Lets contestants take turns in every cell.
    fn compare(&self, mut figures: Figures, runs: &[Run<impl Fn(Cell) -> f64>]) {
        let runs: Vec<_> = runs.iter().filter(|run| self.wanted(run.name)).collect();
        let cells = self.cells();
        let progress = Progress::new(cells.len() * self.turns() as usize * runs.len());
        for cell in cells {
            for _ in 0..self.turns() {
                for run in &runs {
                    progress
                        .begin(&format!("{}, {} clients, {} bytes", run.name, cell.clients, cell.payload));
                    figures.add(cell, run.name, (run.run)(cell));
                    progress.finish();
                }
            }
            progress.say(&figures.words(cell));
            figures.tell(cell);
        }
        progress.clear();
        figures.finish();
    }

    fn durable(&self, form: Form) -> Result<(), Box<dyn Error>> {
        let plan = durable::Plan {
            clients: if self.clients.is_empty() { vec![1, 64, 256] } else { self.clients.clone() },
            turns: self.turns(),
            seconds: Duration::from_secs(if self.quick { 1 } else { 5 }),
            synod: self.synod.clone(),
            directory: self.dir.clone(),
        };
        durable::compare(&plan, form)
    }

    fn turns(&self) -> u32 {
        if self.quick { 1 } else { self.repetitions }
    }

    fn wanted(&self, name: &str) -> bool {
        self.contestants.is_empty() || self.contestants.iter().any(|wanted| name.starts_with(wanted))
    }

    fn cells(&self) -> Vec<Cell> {
        let wanted = |list: &[usize], number: usize| list.is_empty() || list.contains(&number);
        let mut cells = Vec::new();
        for payload in [0, 16, 1_024].into_iter().filter(|&payload| wanted(&self.payloads, payload)) {
            for clients in [1, 64, 1_024].into_iter().filter(|&clients| wanted(&self.clients, clients)) {
                cells.push(Cell { clients, payload });
            }
        }
        cells
    }
}

impl MessagingCommand {
    fn run(self) -> Result<(), Box<dyn Error>> {
        let plan = messaging::Plan {
            turns: if self.quick { 1 } else { self.repetitions },
            each: Duration::from_millis(if self.quick { 200 } else { self.milliseconds }),
            only: self.only,
            synod: self.synod,
        };
        messaging::compare(&plan, if self.json { Form::Programs } else { Form::People })
    }
}
