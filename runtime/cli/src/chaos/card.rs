//! The run card: what was done to the cluster, what it did for its clients meanwhile, and the verdict.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::fault::Fault;
use super::recorder::{MarkId, Recorder, Tally};
use crate::check::Findings;
use crate::table::{Align, Table};

/// What came of an act.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fortune {
    /// It struck; recovery is counted from the mark.
    Installed {
        /// When.
        mark: MarkId,
        /// What the node made of it.
        finding: Option<String>,
    },
    /// It was done and struck nothing.
    Idle(String),
    /// It could not be done here.
    Skipped(String),
    /// It struck, and the node that had to notice did not.
    Unnoticed(String),
}

/// An act and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) fault: Fault,
    pub(super) words: String,
    pub(super) fortune: Fortune,
}

/// All that is told in the end.
pub(super) struct Card {
    pub(super) seed: u64,
    pub(super) nodes: usize,
    pub(super) clients: u64,
    pub(super) keys: usize,
    pub(super) seconds: f64,
    pub(super) tally: Tally,
    pub(super) rows: Vec<FaultRow>,
    pub(super) settled: Option<Duration>,
    pub(super) findings: Findings,
}

/// What is told of one kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FaultRow {
    fault: Fault,
    requested: usize,
    installed: usize,
    /// From the fault to the next answer, the shortest first.
    recoveries: Vec<Duration>,
    /// Why acts were skipped, struck nothing, or went unnoticed, and what was found; each once.
    remarks: Vec<String>,
    skipped: usize,
    unnoticed: usize,
}

impl Fortune {
    /// It struck, and the node made this of it.
    pub(super) fn found(mark: Option<MarkId>, finding: String) -> Self {
        match mark {
            Some(mark) => Self::Installed { mark, finding: Some(finding) },
            None => Self::Idle(finding),
        }
    }
}

impl Entry {
    /// From when recovery is counted.
    pub(super) fn mark(&self) -> Option<MarkId> {
        match self.fortune {
            Fortune::Installed { mark, .. } => Some(mark),
            Fortune::Idle(_) | Fortune::Skipped(_) | Fortune::Unnoticed(_) => None,
        }
    }
}

impl FaultRow {
    /// The row of a kind.
    pub(super) fn of(fault: Fault, entries: &[Entry], recorder: &Recorder) -> Self {
        let mut row = Self {
            fault,
            requested: 0,
            installed: 0,
            recoveries: Vec::new(),
            remarks: Vec::new(),
            skipped: 0,
            unnoticed: 0,
        };
        for entry in entries.iter().filter(|entry| entry.fault == fault) {
            row.requested += 1;
            match &entry.fortune {
                Fortune::Installed { mark, finding } => {
                    row.installed += 1;
                    row.recoveries.extend(recorder.recovered(*mark));
                    finding.iter().for_each(|finding| row.remark("found", finding));
                }
                Fortune::Idle(why) => row.remark("struck nothing", why),
                Fortune::Skipped(why) => {
                    row.skipped += 1;
                    row.remark("skipped", why);
                }
                Fortune::Unnoticed(why) => {
                    row.installed += 1;
                    row.unnoticed += 1;
                    row.remark("NOT NOTICED", why);
                }
            }
        }
        row.recoveries.sort_unstable();
        row
    }

    fn remark(&mut self, kind: &str, why: &str) {
        let remark = format!("{kind}: {why}");
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }
}

impl Card {
    /// Whether damage went unnoticed.
    pub(super) fn unnoticed(&self) -> usize {
        self.rows.iter().map(|row| row.unnoticed).sum()
    }

    /// The card for people.
    pub(super) fn text(&self) -> String {
        let Self { seed, nodes, clients, keys, seconds, tally, .. } = self;
        let mut text = format!(
            "run card: seed {seed}, {nodes} nodes, {clients} clients on {keys} keys, {seconds:.0} s\n\
             operations: {} ok, {} failed, {} unknown; longest time without an answer {}\n\n",
            tally.ok,
            tally.fail,
            tally.info,
            words(tally.silence)
        );
        let mut table = Table::new(&[
            ("fault", Align::Left),
            ("requested", Align::Right),
            ("installed", Align::Right),
            ("skipped", Align::Right),
            ("next answer after, p50", Align::Right),
            ("max", Align::Right),
        ]);
        for row in &self.rows {
            table.row(vec![
                row.fault.to_string(),
                row.requested.to_string(),
                row.installed.to_string(),
                row.skipped.to_string(),
                median(&row.recoveries).map_or("-".to_owned(), words),
                row.recoveries.last().copied().map_or("-".to_owned(), words),
            ]);
        }
        text.push_str(&table.render());
        for row in &self.rows {
            for remark in &row.remarks {
                text.push_str(&format!("{}: {remark}\n", row.fault));
            }
        }
        text.push_str(&match self.settled {
            Some(took) => format!("\nall nodes well {} after the last fault\n", words(took)),
            None => "\nnot all nodes were well after the last fault\n".to_owned(),
        });
        text.push_str(&format!("verdict: {}", self.findings.text()));
        text
    }

    /// The card for programs.
    pub(super) fn json(&self) -> Json {
        let seconds = |duration: Duration| duration.as_secs_f64();
        let rows: Vec<Json> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "fault": row.fault.name(), "requested": row.requested, "installed": row.installed,
                    "skipped": row.skipped, "unnoticed": row.unnoticed, "remarks": row.remarks,
                    "recovery_p50_s": median(&row.recoveries).map(seconds),
                    "recovery_max_s": row.recoveries.last().copied().map(seconds),
                })
            })
            .collect();
        json!({
            "seed": self.seed, "nodes": self.nodes, "clients": self.clients, "keys": self.keys,
            "seconds": self.seconds,
            "operations": { "ok": self.tally.ok, "fail": self.tally.fail, "info": self.tally.info },
            "longest_silence_s": seconds(self.tally.silence), "settled_s": self.settled.map(seconds),
            "faults": rows, "verdict": self.findings.word(), "check": self.findings.json(),
        })
    }
}

fn median(sorted: &[Duration]) -> Option<Duration> {
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

fn words(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.2} s", duration.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::question::{Question, Told};

    #[test]
    fn a_row_counts_what_struck_and_says_what_did_not() {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::create(&directory.path().join("h")).unwrap();
        let mark = recorder.mark();
        let asked = recorder.ask(0, "x", Question::Read);
        recorder.end(asked, &Told::Value(None));
        let entry = |fortune| Entry { fault: Fault::Corrupt, words: String::new(), fortune };
        let entries = [
            entry(Fortune::found(Some(mark), "refused".into())),
            entry(Fortune::Skipped("too short".into())),
            entry(Fortune::Skipped("too short".into())),
            entry(Fortune::Unnoticed("silence".into())),
        ];
        let row = FaultRow::of(Fault::Corrupt, &entries, &recorder);
        assert_eq!((row.requested, row.installed, row.skipped, row.unnoticed), (4, 2, 2, 1));
        assert_eq!(row.recoveries.len(), 1);
        assert_eq!(row.remarks, ["found: refused", "skipped: too short", "NOT NOTICED: silence"]);
        assert_eq!(FaultRow::of(Fault::Kill, &entries, &recorder).requested, 0);
    }
}
