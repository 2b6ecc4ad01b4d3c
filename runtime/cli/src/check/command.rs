//! `synod check`

use std::collections::BTreeMap;
use std::fmt;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value as Json, json};
use synod::protocols::sim::check::{Effort, Model, Refutation, Value, Verdict, check_keys};

use super::record::Record;
use super::{drawing, report, shape};
use crate::failure::Failure;
use crate::output::{Form, print, print_json};
use crate::table::{printable, shortened};

/// The exit code for a file that is no history (`EX_DATAERR`).
const DATA: u8 = 65;
/// The exit code for a start that the model cannot have (`EX_USAGE`).
const USAGE: u8 = 64;
/// The exit code for a file that cannot be read, and a report that cannot be written (`EX_IOERR`).
const FILES: u8 = 74;
const NOT_LINEARIZABLE: u8 = 1;
const UNKNOWN: u8 = 2;

/// Checks whether a recorded history is linearizable: as if every operation took effect at once, between its start and its end.
///
/// The file has a JSON object a line, as Jepsen writes it: process, type (invoke, ok, fail, info), f, key, value. Exits with 0 when
/// the history is linearizable, 1 when it is not, 2 when that is unknown, 64 for wrong arguments, 65 for a bad line, 74 for a file
/// that cannot be read or written.
#[derive(Args, Debug)]
pub(crate) struct CheckCommand {
    /// The history, in JSON lines.
    file: PathBuf,
    /// What the operations were done on.
    #[arg(long, value_enum)]
    model: ModelName,
    /// What it holds at first, as JSON; nil is the model's usual start.
    #[arg(long, value_name = "VALUE|nil")]
    init: Option<String>,
    /// After how many seconds the answer is "unknown".
    #[arg(long, default_value_t = 60.0, value_parser = seconds)]
    timeout: f64,
    /// How many mebibytes of configurations are remembered before the answer is "unknown".
    #[arg(long, default_value_t = 2_048)]
    memory: u64,
    /// Write the history over time into this file, as HTML.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModelName {
    /// read, write.
    Register,
    /// read, write, cas.
    CasRegister,
    /// get, put, append on strings.
    Kv,
    /// add, read.
    Counter,
    /// add, read.
    Set,
    /// enqueue, dequeue.
    Queue,
    /// acquire, release.
    Mutex,
    /// txn.
    MultiRegister,
}

impl From<ModelName> for Model {
    fn from(name: ModelName) -> Self {
        match name {
            ModelName::Register => Self::Register,
            ModelName::CasRegister => Self::CasRegister,
            ModelName::Kv => Self::Kv,
            ModelName::Counter => Self::Counter,
            ModelName::Set => Self::Set,
            ModelName::Queue => Self::Queue,
            ModelName::Mutex => Self::Mutex,
            ModelName::MultiRegister => Self::MultiRegister,
        }
    }
}

/// Why a search was stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stop {
    Time(f64),
    Memory(u64),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(seconds) => write!(f, "time ran out after {seconds} s"),
            Self::Memory(mebibytes) => write!(f, "memory ran out at {mebibytes} MiB"),
        }
    }
}

/// All that is known in the end.
struct Findings {
    model: Model,
    record: Record,
    verdicts: BTreeMap<Value, Verdict>,
    stop: Option<Stop>,
    took: Duration,
}

impl CheckCommand {
    /// Does it.
    ///
    /// # Errors
    /// When the history is not linearizable, when that is unknown, and when there is no history; the codes differ.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        let model = Model::from(self.model);
        let start = shape::start(model, self.init.as_deref())
            .map_err(|reason| Failure::new(reason).with_code(USAGE))?;
        let record = Record::read(&self.file, model)?;
        let begun = Instant::now();
        let (patience, memory) = (Duration::from_secs_f64(self.timeout), self.memory << 20);
        let bar = bar(record.operations());
        let mut stop = None;
        let verdicts = check_keys(model, &start, &record.keys, |key, effort| {
            tell(&bar, key, effort);
            if begun.elapsed() >= patience {
                stop = stop.or(Some(Stop::Time(self.timeout)));
            } else if effort.bytes > memory {
                // The memory of one key is given back before the next: only time ends all.
                stop = Some(Stop::Memory(self.memory));
                return false;
            }
            begun.elapsed() < patience
        });
        bar.finish_and_clear();
        let verdicts =
            verdicts.map_err(|(key, misfit)| Failure::new(format!("key {key}: {misfit}")).with_code(DATA))?;
        let findings = Findings { model, record, verdicts, stop, took: begun.elapsed() };
        if let Some(file) = &self.report {
            let (keys, sentence) = (&findings.record.keys, findings.sentence());
            let title = self.file.display().to_string();
            let html = report::html(&title, model, &sentence, keys, &findings.verdicts);
            std::fs::write(file, html)
                .map_err(|error| Failure::at(file, "write it", error).with_code(FILES))?;
        }
        match form {
            Form::People => print(findings.text())?,
            Form::Programs => print_json(&findings.json())?,
        }
        let code = findings.code();
        if code == 0 {
            return Ok(());
        }
        Err(Failure::new(format!("{}: {}", self.file.display(), findings.sentence())).with_code(code))
    }
}

impl Findings {
    fn refuted(&self) -> impl Iterator<Item = (&Value, &Refutation)> {
        self.verdicts.iter().filter_map(|(key, verdict)| match verdict {
            Verdict::NotLinearizable(refutation) => Some((key, refutation)),
            Verdict::Linearizable(_) | Verdict::Unknown => None,
        })
    }

    /// The key whose failing part is the shortest.
    fn worst(&self) -> Option<(&Value, &Refutation)> {
        self.refuted().min_by_key(|(_, refutation)| refutation.part.len())
    }

    fn unknown(&self) -> usize {
        self.verdicts.values().filter(|verdict| **verdict == Verdict::Unknown).count()
    }

    fn word(&self) -> &'static str {
        match self.code() {
            0 => "linearizable",
            UNKNOWN => "unknown",
            _ => "not linearizable",
        }
    }

    fn code(&self) -> u8 {
        if self.refuted().next().is_some() {
            NOT_LINEARIZABLE
        } else if self.unknown() > 0 {
            UNKNOWN
        } else {
            0
        }
    }

    fn sentence(&self) -> String {
        let keys = keys(self.verdicts.len());
        match (self.worst(), self.stop) {
            (Some((key, _)), _) => {
                let refuted = self.refuted().count();
                format!(
                    "not linearizable: {refuted} of {keys}, the shortest failing part is that of key {key}"
                )
            }
            (None, Some(stop)) if self.unknown() > 0 => {
                format!("unknown: {stop}; {} of {keys} not decided", self.unknown())
            }
            (None, _) => "linearizable".to_owned(),
        }
    }

    fn text(&self) -> String {
        let operations = self.record.operations();
        let mut text = format!("{}\n", self.word());
        text.push_str(&format!(
            "{operations} operations on {}, a {}, in {:.2} s\n",
            keys(self.verdicts.len()),
            self.model,
            self.took.as_secs_f64()
        ));
        if let Some((key, refutation)) = self.worst() {
            let operations = &self.record.keys[key];
            let (last, stuck) = (&operations[refutation.last], &operations[refutation.stuck]);
            let shortest = if refutation.shortest { "The shortest failing part" } else { "A failing part" };
            text.push_str(&format!(
                "\n{shortest}: key {}, {} of {} operations, up to line {}.\n",
                shortened(&printable(&key.to_string()), 60),
                refutation.part.len(),
                operations.len(),
                last.ended,
            ));
            text.push_str(&drawing::draw(operations, refutation));
            text.push_str(&format!(
                "The longest order has {} operations (#); X, {} of line {}, cannot be placed after it, where the object holds\n",
                refutation.order.len(),
                shortened(&printable(&stuck.action.describe(&stuck.ending)), 60),
                stuck.invoked,
            ));
            for state in &refutation.states {
                text.push_str(&format!("  {}\n", shortened(&printable(state), 100)));
            }
        }
        if let Some(stop) = self.stop.filter(|_| self.unknown() > 0) {
            text.push_str(&format!("{stop}; {} not decided\n", keys(self.unknown())));
        }
        text
    }

    fn json(&self) -> Json {
        let failing: Vec<Json> = self
            .refuted()
            .map(|(key, refutation)| {
                let operations = &self.record.keys[key];
                let words = |number: &usize| {
                    let operation = &operations[*number];
                    json!({
                        "line": operation.invoked,
                        "process": operation.client,
                        "operation": operation.action.describe(&operation.ending),
                    })
                };
                json!({
                    "key": key.to_string(),
                    "shortest": refutation.shortest,
                    "operations": refutation.part.len(),
                    "up_to_line": operations[refutation.last].ended,
                    "stuck": words(&refutation.stuck),
                    "states": refutation.states,
                    "part": drawing::shown(operations, refutation).iter().map(words).collect::<Vec<_>>(),
                })
            })
            .collect();
        json!({
            "verdict": self.word(),
            "model": self.model.name(),
            "operations": self.record.operations(),
            "keys": self.verdicts.len(),
            "undecided": self.unknown(),
            "reason": self.stop.map(|stop| stop.to_string()),
            "seconds": self.took.as_secs_f64(),
            "failing": failing,
        })
    }
}

fn keys(count: usize) -> String {
    format!("{count} {}", if count == 1 { "key" } else { "keys" })
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 1e9 => Ok(seconds),
        _ => Err(format!("{text:?} is no number of seconds between 0 and 1e9")),
    }
}

fn bar(operations: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} operations of this key, {elapsed}")
            .expect("the template is sound");
    ProgressBar::new(operations as u64).with_style(style)
}

fn tell(bar: &ProgressBar, key: &Value, effort: &Effort) {
    bar.set_length(effort.completed as u64);
    bar.set_position(effort.passed as u64);
    let key = shortened(&printable(&key.to_string()), 20);
    bar.set_message(format!("key {key}: {} configurations", effort.remembered));
}
