//! A history file: events of processes paired to operations, each key apart.
//!
//! After `info` a process may go on (Jepsen gives it a new number, other recorders do not): the operation stays open for ever.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;
use synod::protocols::sim::check::{Call, Model, Returned, Value};
use synod::protocols::sim::{Ending, Operation};
use synod::protocols::types::{ClientId, Timestamp};

use super::line::{Kind, Line};
use super::shape;
use crate::failure::Failure;

/// The exit code for a file that is no history (`EX_DATAERR`).
const DATA: u8 = 65;
/// The exit code for a file that cannot be read (`EX_IOERR`).
const FILES: u8 = 74;

/// The operations of each key. The instants of an operation are the numbers of its lines.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) keys: BTreeMap<Value, Vec<Operation<Call, Returned>>>,
}

/// An operation that has not ended: where it stands, and what was asked.
struct Open {
    key: Value,
    place: usize,
    line: u64,
    f: Json,
    value: Json,
}

impl Record {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is no history of the model: names the file, the line and the reason.
    pub(super) fn read(file: &Path, model: Model) -> Result<Self, Failure> {
        let bytes =
            std::fs::read(file).map_err(|error| Failure::at(file, "read it", error).with_code(FILES))?;
        Self::parse(&bytes, model).map_err(|(line, reason)| {
            Failure::new(format!("{}:{line}: {reason}", file.display())).with_code(DATA)
        })
    }

    /// Reads the text of a file; the number of the line is beside the reason.
    pub(super) fn parse(bytes: &[u8], model: Model) -> Result<Self, (u64, String)> {
        let mut record = Self::default();
        let mut open: BTreeMap<u64, Open> = BTreeMap::new();
        for (number, bytes) in (1u64..).zip(bytes.split(|byte| *byte == b'\n')) {
            let blame = |reason: String| (number, reason);
            let text = std::str::from_utf8(bytes).map_err(|error| blame(format!("not UTF-8: {error}")))?;
            if text.trim().is_empty() {
                continue;
            }
            let Some((process, line)) = Line::read(text).map_err(blame)? else { continue };
            match (line.kind, open.remove(&process)) {
                (Kind::Invoke, Some(earlier)) => {
                    return Err(blame(format!(
                        "process {process} asks although what it asked in line {} has not ended",
                        earlier.line
                    )));
                }
                (Kind::Invoke, None) => {
                    let begun = record.invoke(model, process, number, line).map_err(blame)?;
                    open.insert(process, begun);
                }
                (Kind::Ok | Kind::Fail | Kind::Info, None) => {
                    return Err(blame(format!("process {process} ends what it has not begun")));
                }
                (Kind::Ok | Kind::Fail | Kind::Info, Some(begun)) => {
                    record.complete(model, &begun, number, &line).map_err(blame)?;
                }
            }
        }
        Ok(record)
    }

    /// How many operations there are.
    pub(super) fn operations(&self) -> usize {
        self.keys.values().map(Vec::len).sum()
    }

    fn invoke(&mut self, model: Model, process: u64, number: u64, line: Line) -> Result<Open, String> {
        let action = shape::call(model, &line.f, &line.value)?;
        // A transaction names its registers itself: they are one object.
        let key = if model == Model::MultiRegister { Value::Nil } else { shape::plain(&line.key) };
        let operations = self.keys.entry(key.clone()).or_default();
        let place = operations.len();
        operations.push(Operation {
            client: ClientId(process),
            action,
            invoked: Timestamp(number),
            ending: Ending::Info,
            ended: Timestamp::NEVER,
        });
        Ok(Open { key, place, line: number, f: line.f, value: line.value })
    }

    fn complete(&mut self, model: Model, open: &Open, number: u64, line: &Line) -> Result<(), String> {
        let asked = open.line;
        if line.f != open.f {
            return Err(format!("{} ends the {} of line {asked}", line.f, open.f));
        }
        if model != Model::MultiRegister && !line.key.is_null() && shape::plain(&line.key) != open.key {
            return Err(format!("key {} ends what line {asked} asked of key {}", line.key, open.key));
        }
        let operation = self.keys.get_mut(&open.key).and_then(|operations| operations.get_mut(open.place));
        let operation = operation.expect("an open operation stands where it was put");
        let tells = matches!(operation.action, Call::Read | Call::Dequeue | Call::Transact(_));
        if line.kind == Kind::Ok && !tells && !line.value.is_null() && line.value != open.value {
            return Err(format!(
                "value {} ends what line {asked} asked with value {}",
                line.value, open.value
            ));
        }
        (operation.ending, operation.ended) = match line.kind {
            Kind::Ok => {
                let returned = shape::returned(model, &operation.action, &line.value, &line.result)?;
                (Ending::Ok(returned), Timestamp(number))
            }
            Kind::Fail => (Ending::Fail, Timestamp(number)),
            Kind::Invoke | Kind::Info => (Ending::Info, Timestamp::NEVER),
        };
        Ok(())
    }
}
