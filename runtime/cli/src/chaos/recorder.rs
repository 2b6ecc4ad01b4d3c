//! The history of a run in JSON lines, as `synod check` reads it: what clients asked and were told, in one order, and the faults.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::question::{Question, Told};
use crate::failure::Failure;

/// Writes the history; shared by all clients.
pub(super) struct Recorder {
    path: PathBuf,
    begun: Instant,
    state: Mutex<State>,
}

struct State {
    out: BufWriter<File>,
    fault: Option<String>,
    tally: Tally,
    marks: Vec<Mark>,
    last_ok: Instant,
}

/// How operations ended, and the longest time in which none ended well.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tally {
    /// Answered.
    pub(super) ok: u64,
    /// Known not to have happened.
    pub(super) fail: u64,
    /// Of unknown outcome.
    pub(super) info: u64,
    /// The longest time without an answer.
    pub(super) silence: Duration,
}

/// A fault that waits for the first operation that is asked and answered after it.
struct Mark {
    at: Instant,
    recovered: Option<Duration>,
}

/// Names a fault's mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MarkId(usize);

/// An operation that was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    process: u64,
    key: String,
    question: Question,
    at: Instant,
}

impl Recorder {
    /// Begins a history in a file, in place of what was there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|error| Failure::at(path, "write it", error))?;
        let begun = Instant::now();
        let state = State {
            out: BufWriter::new(file),
            fault: None,
            tally: Tally::default(),
            marks: Vec::new(),
            last_ok: begun,
        };
        Ok(Self { path: path.to_owned(), begun, state: Mutex::new(state) })
    }

    /// Notes that a process asks.
    pub(super) fn ask(&self, process: u64, key: &str, question: Question) -> Asked {
        let mut state = self.lock();
        let at = Instant::now();
        let line = json!({
            "process": process, "type": "invoke", "f": question.name(), "key": key, "value": question.value(),
            "time": self.nanos(at),
        });
        state.write(&line);
        Asked { process, key: key.to_owned(), question, at }
    }

    /// Notes how it ended.
    pub(super) fn end(&self, asked: Asked, told: &Told) {
        let mut state = self.lock();
        let at = Instant::now();
        let Asked { process, key, question, at: since } = asked;
        let (kind, value) = match told {
            Told::Value(value) => ("ok", json!(value)),
            Told::Done | Told::Swapped(_) => ("ok", question.value()),
            Told::Nothing(_) => ("fail", question.value()),
            Told::Unknown(_) => ("info", question.value()),
        };
        let mut line = json!({
            "process": process, "type": kind, "f": question.name(), "key": key, "value": value,
            "time": self.nanos(at),
        });
        match told {
            Told::Swapped(swapped) => line["result"] = json!(swapped),
            Told::Nothing(why) | Told::Unknown(why) => line["error"] = json!(why),
            Told::Value(_) | Told::Done => {}
        }
        state.write(&line);
        match kind {
            "ok" => state.succeeded(since, at),
            "fail" => state.tally.fail += 1,
            _ => state.tally.info += 1,
        }
    }

    /// Notes what was done to the cluster.
    pub(super) fn note(&self, deed: &str, words: &str) {
        let mut state = self.lock();
        let line = json!({
            "process": "nemesis", "type": "info", "f": deed, "value": words, "time": self.nanos(Instant::now()),
        });
        state.write(&line);
    }

    /// From here on, the first operation that is asked and answered tells how long recovery took.
    pub(super) fn mark(&self) -> MarkId {
        let mut state = self.lock();
        state.marks.push(Mark { at: Instant::now(), recovered: None });
        MarkId(state.marks.len() - 1)
    }

    /// How long it took after a mark; `None` when nothing was answered.
    pub(super) fn recovered(&self, mark: MarkId) -> Option<Duration> {
        self.lock().marks[mark.0].recovered
    }

    /// How operations ended so far.
    pub(super) fn tally(&self) -> Tally {
        self.lock().tally
    }

    /// Sees to it that the file has everything.
    ///
    /// # Errors
    /// When a line could not be written.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        let mut state = self.lock();
        let flushed = state.out.flush().map_err(|error| error.to_string());
        match state.fault.take().map_or(flushed, Err) {
            Ok(()) => Ok(()),
            Err(reason) => Err(Failure::at(&self.path, "write it", reason)),
        }
    }

    fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.duration_since(self.begun).as_nanos()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write(&mut self, line: &Json) {
        if let Err(error) = writeln!(self.out, "{line}") {
            self.fault.get_or_insert(error.to_string());
        }
    }

    fn succeeded(&mut self, since: Instant, at: Instant) {
        self.tally.ok += 1;
        self.tally.silence = self.tally.silence.max(at - self.last_ok);
        self.last_ok = at;
        for mark in self.marks.iter_mut().filter(|mark| mark.recovered.is_none() && since >= mark.at) {
            mark.recovered = Some(at - mark.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Limits, judge};
    use synod::protocols::sim::check::Model;

    fn record(operations: &[(u64, Question, Told)]) -> u8 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.jsonl");
        let recorder = Recorder::create(&path).unwrap();
        for (process, question, told) in operations {
            let asked = recorder.ask(*process, "x", *question);
            recorder.note("kill", "node-1");
            recorder.end(asked, told);
        }
        recorder.finish().unwrap();
        judge(&path, Model::CasRegister, Limits::default()).unwrap().code()
    }

    #[test]
    fn a_history_that_is_fine_is_judged_so() {
        let unknown = || Told::Unknown("nobody answered".into());
        let code = record(&[
            (0, Question::Read, Told::Value(None)),
            (0, Question::Write(1), Told::Done),
            (1, Question::CompareAndSet(1, 2), Told::Swapped(true)),
            (1, Question::CompareAndSet(1, 3), Told::Swapped(false)),
            (2, Question::Write(4), unknown()),
            (0, Question::Read, Told::Value(Some(2))),
            (0, Question::Write(9), Told::Nothing("refused".into())),
            (0, Question::Read, Told::Value(Some(4))),
        ]);
        assert_eq!(code, 0);
    }

    #[test]
    fn a_stale_read_and_a_lost_write_are_found() {
        let stale = [
            (0, Question::Write(1), Told::Done),
            (0, Question::Write(2), Told::Done),
            (1, Question::Read, Told::Value(Some(1))),
        ];
        assert_eq!(record(&stale), 1);
        let lost = [(0, Question::Write(1), Told::Done), (1, Question::Read, Told::Value(None))];
        assert_eq!(record(&lost), 1);
        let twice = [
            (0, Question::Write(1), Told::Done),
            (1, Question::Write(2), Told::Done),
            (1, Question::Read, Told::Value(Some(2))),
            (1, Question::Read, Told::Value(Some(1))),
        ];
        assert_eq!(record(&twice), 1, "a retry that took effect again");
        let refused =
            [(0, Question::Write(1), Told::Nothing("no".into())), (1, Question::Read, Told::Value(Some(1)))];
        assert_eq!(record(&refused), 1, "what was said not to have happened");
    }

    #[test]
    fn recovery_counts_operations_that_were_asked_after_the_fault() {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::create(&directory.path().join("h")).unwrap();
        let before = recorder.ask(0, "x", Question::Write(1));
        let mark = recorder.mark();
        recorder.end(before, &Told::Done);
        assert_eq!(recorder.recovered(mark), None);
        let after = recorder.ask(0, "x", Question::Write(2));
        recorder.end(after, &Told::Done);
        assert!(recorder.recovered(mark).is_some());
        assert_eq!((recorder.tally().ok, recorder.tally().info), (2, 0));
    }
}
