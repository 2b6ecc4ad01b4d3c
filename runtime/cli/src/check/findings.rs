//! What a check found, in words and in JSON. The search itself is the checker's.

use std::collections::BTreeMap;
use std::fmt;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value as Json, json};
use synod::protocols::sim::check::{Effort, Model, Refutation, Start, Value, Verdict, check_keys};

use super::drawing;
use super::record::Record;
use crate::failure::Failure;
use crate::table::{printable, shortened};

/// The exit code for a file that is no history (`EX_DATAERR`).
const DATA: u8 = 65;
const NOT_LINEARIZABLE: u8 = 1;
const UNKNOWN: u8 = 2;

/// How much a search may cost before the answer is "unknown".
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    /// In seconds, for all keys.
    pub(crate) seconds: f64,
    /// In mebibytes, for one key.
    pub(crate) mebibytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { seconds: 60.0, mebibytes: 2_048 }
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
pub(crate) struct Findings {
    pub(super) model: Model,
    pub(super) record: Record,
    pub(super) verdicts: BTreeMap<Value, Verdict>,
    stop: Option<Stop>,
    took: Duration,
}

impl Findings {
    /// Checks a record.
    ///
    /// # Errors
    /// When an operation is none of the model's.
    pub(super) fn of(model: Model, start: &Start, record: Record, limits: Limits) -> Result<Self, Failure> {
        let begun = Instant::now();
        let (patience, memory) = (Duration::from_secs_f64(limits.seconds), limits.mebibytes << 20);
        let bar = bar(record.operations());
        let mut stop = None;
        let verdicts = check_keys(model, start, &record.keys, |key, effort| {
            tell(&bar, key, effort);
            if begun.elapsed() >= patience {
                stop = stop.or(Some(Stop::Time(limits.seconds)));
            } else if effort.bytes > memory {
                // The memory of one key is given back before the next: only time ends all.
                stop = Some(Stop::Memory(limits.mebibytes));
                return false;
            }
            begun.elapsed() < patience
        });
        bar.finish_and_clear();
        let verdicts =
            verdicts.map_err(|(key, misfit)| Failure::new(format!("key {key}: {misfit}")).with_code(DATA))?;
        Ok(Self { model, record, verdicts, stop, took: begun.elapsed() })
    }

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

    /// The verdict in a word or two.
    pub(crate) fn word(&self) -> &'static str {
        match self.code() {
            0 => "linearizable",
            UNKNOWN => "unknown",
            _ => "not linearizable",
        }
    }

    /// The exit code: 0 linearizable, 1 not, 2 unknown.
    pub(crate) fn code(&self) -> u8 {
        if self.refuted().next().is_some() {
            NOT_LINEARIZABLE
        } else if self.unknown() > 0 {
            UNKNOWN
        } else {
            0
        }
    }

    /// The verdict in a sentence.
    pub(crate) fn sentence(&self) -> String {
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

    /// The verdict for people, with the failing part drawn over time.
    pub(crate) fn text(&self) -> String {
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

    /// The same for programs.
    pub(crate) fn json(&self) -> Json {
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
