//! The objects that histories are checked against, and what each begins with.

use std::collections::BTreeSet;
use std::fmt;

use thiserror::Error;

use crate::sim::check::symbols::Value;

/// An object with a sequential specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Model {
    /// One value: read, write.
    Register,
    /// One value: read, write, compare and set.
    CasRegister,
    /// One text: read, write, append.
    Kv,
    /// One total: add, read.
    Counter,
    /// Elements that stay: insert, read.
    Set,
    /// First in, first out: enqueue, dequeue.
    Queue,
    /// Free or taken: acquire, release. Anybody may release.
    Mutex,
    /// Registers by key: transact.
    MultiRegister,
}

/// What an object holds before the first operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// Whatever the model begins with: nil, the empty text, zero, nothing, free.
    Usual,
    /// This value, text or total; in each register if there are several.
    Value(Value),
    /// These elements of a set.
    Elements(BTreeSet<Value>),
    /// These items of a queue, the head first.
    Items(Vec<Value>),
}

/// A history or a start that is none of the model's. Nothing was checked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Misfit {
    /// The object knows no such call, or the call has no such answer.
    #[error("operation {operation} is none of a {model}")]
    Operation {
        /// The position of the operation among those given.
        operation: usize,
        /// The model.
        model: Model,
    },
    /// The object cannot hold it.
    #[error("a {model} does not begin with that")]
    Start {
        /// The model.
        model: Model,
    },
}

impl Model {
    /// All models.
    pub const ALL: [Self; 8] = [
        Self::Register,
        Self::CasRegister,
        Self::Kv,
        Self::Counter,
        Self::Set,
        Self::Queue,
        Self::Mutex,
        Self::MultiRegister,
    ];

    /// The model's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::CasRegister => "cas-register",
            Self::Kv => "kv",
            Self::Counter => "counter",
            Self::Set => "set",
            Self::Queue => "queue",
            Self::Mutex => "mutex",
            Self::MultiRegister => "multi-register",
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
