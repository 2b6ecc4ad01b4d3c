//! `synod check`

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use synod::protocols::sim::check::{Model, Start};

use super::findings::{Findings, Limits};
use super::record::Record;
use super::{report, shape};
use crate::failure::Failure;
use crate::output::{Form, print, print_json};

/// The exit code for a start that the model cannot have (`EX_USAGE`).
const USAGE: u8 = 64;
/// The exit code for a file that cannot be read, and a report that cannot be written (`EX_IOERR`).
const FILES: u8 = 74;

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
        let limits = Limits { seconds: self.timeout, mebibytes: self.memory };
        let findings = Findings::of(model, &start, record, limits)?;
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

/// Checks a file that holds a history of an object with its usual start.
///
/// # Errors
/// When it cannot be read, or is no history of the model.
pub(crate) fn judge(file: &Path, model: Model, limits: Limits) -> Result<Findings, Failure> {
    Findings::of(model, &Start::Usual, Record::read(file, model)?, limits)
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 1e9 => Ok(seconds),
        _ => Err(format!("{text:?} is no number of seconds between 0 and 1e9")),
    }
}
