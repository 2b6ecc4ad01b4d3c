//! Operations in words, for people. Nothing reads them back.

use std::fmt;

use crate::sim::check::call::{Access, Call, Returned};
use crate::sim::check::symbols::Value;
use crate::sim::history::Ending;

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => f.write_str("read"),
            Self::Write(value) => write!(f, "write {value}"),
            Self::CompareAndSet { expected, new } => write!(f, "cas {expected} to {new}"),
            Self::Append(text) => write!(f, "append {text:?}"),
            Self::Add(amount) => write!(f, "add {amount}"),
            Self::Insert(element) => write!(f, "add {element}"),
            Self::Enqueue(item) => write!(f, "enqueue {item}"),
            Self::Dequeue => f.write_str("dequeue"),
            Self::Acquire => f.write_str("acquire"),
            Self::Release => f.write_str("release"),
            Self::Transact(accesses) => f.write_str(&transaction(accesses, None)),
        }
    }
}

impl Call {
    /// The call and how it ended, in words.
    #[must_use]
    pub fn describe(&self, ending: &Ending<Returned>) -> String {
        match (self, ending) {
            (Self::Transact(accesses), Ending::Ok(Returned::Seen(seen))) => transaction(accesses, Some(seen)),
            (_, Ending::Ok(Returned::Done)) => self.to_string(),
            (_, Ending::Ok(Returned::Value(value))) => format!("{self} → {value}"),
            (_, Ending::Ok(Returned::Swapped(true))) => format!("{self} → yes"),
            (_, Ending::Ok(Returned::Swapped(false))) => format!("{self} → no"),
            (_, Ending::Ok(Returned::Elements(elements))) => {
                format!("{self} → {{{}}}", list(elements.iter()))
            }
            (_, Ending::Ok(Returned::Seen(seen))) => format!("{self} → [{}]", list(seen.iter())),
            (_, Ending::Fail) => format!("{self} (failed)"),
            (_, Ending::Info) => format!("{self} → ?"),
        }
    }
}

fn transaction(accesses: &[Access], seen: Option<&[Value]>) -> String {
    let mut seen = seen.map(<[Value]>::iter);
    let words = accesses.iter().map(|access| match access {
        Access::Read(key) => match seen.as_mut().and_then(Iterator::next) {
            Some(value) => format!("r {key} → {value}"),
            None => format!("r {key}"),
        },
        Access::Write(key, value) => format!("w {key} {value}"),
    });
    format!("txn {}", words.collect::<Vec<_>>().join(", "))
}

fn list<'a>(values: impl Iterator<Item = &'a Value>) -> String {
    values.map(Value::to_string).collect::<Vec<_>>().join(", ")
}
