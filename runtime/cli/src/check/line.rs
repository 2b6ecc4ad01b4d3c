//! One line of a history: an event of one process, as Jepsen writes it in JSON. Does not know what the events of a process add up to.

use serde::Deserialize;
use serde_json::Value;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// The process asked.
    Invoke,
    /// It was answered.
    Ok,
    /// It was told that nothing happened.
    Fail,
    /// It does not know.
    Info,
}

/// A process: a client's number, or the one that makes faults and asks nothing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Process {
    Client(u64),
    Named(String),
}

/// A line. Fields beyond these (`time`, `index`, `error`) are for people.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Line {
    pub(super) process: Process,
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    /// A fault's name can be anything.
    pub(super) f: Value,
    #[serde(default)]
    pub(super) key: Value,
    #[serde(default)]
    pub(super) value: Value,
    #[serde(default)]
    pub(super) result: Value,
}

impl Line {
    /// Reads a line; `None` when it is the fault maker's.
    pub(super) fn read(text: &str) -> Result<Option<(u64, Self)>, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        let Value::Object(fields) = &value else { return Err("an event is a JSON object".to_owned()) };
        for field in ["process", "type", "f"] {
            if !fields.contains_key(field) {
                return Err(format!("an event has a field \"{field}\""));
            }
        }
        let (process, kind) = (fields["process"].clone(), fields["type"].clone());
        if serde_json::from_value::<Kind>(kind.clone()).is_err() {
            return Err(format!("type {kind} is none of \"invoke\", \"ok\", \"fail\", \"info\""));
        }
        let line: Self = serde_json::from_value(value)
            .map_err(|_| format!("process {process} is neither a whole number nor \"nemesis\""))?;
        match &line.process {
            Process::Client(process) => Ok(Some((*process, line))),
            Process::Named(name) if name == "nemesis" => Ok(None),
            Process::Named(name) => {
                Err(format!("process {name:?} is neither a whole number nor \"nemesis\""))
            }
        }
    }
}
