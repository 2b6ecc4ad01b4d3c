//! What clients asked and what they were told, with the instants of both: the input of a consistency checker.
//!
//! Checks nothing. An operation without an end is one whose outcome its client never learnt.

use crate::types::{ClientId, Timestamp};

/// How an operation ended, as far as its client knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending<R> {
    /// It took effect, with this result.
    Ok(R),
    /// It did not take effect and never will.
    Fail,
    /// It may have taken effect, or may yet.
    Info,
}

/// One operation of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation<O, R> {
    /// Who asked. A client asks one thing at a time.
    pub client: ClientId,
    /// What was asked.
    pub action: O,
    /// When it was asked.
    pub invoked: Timestamp,
    /// How it ended.
    pub ending: Ending<R>,
    /// When it ended; [`Timestamp::NEVER`] while the outcome is unknown.
    pub ended: Timestamp,
}

/// All operations of a run, in the order in which they were invoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History<O, R> {
    operations: Vec<Operation<O, R>>,
}

/// Names an operation of a [`History`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperationId(usize);

impl<O, R> Default for History<O, R> {
    fn default() -> Self {
        Self { operations: Vec::new() }
    }
}

impl<O, R> History<O, R> {
    /// Notes that a client asks something; until it ends, its outcome is unknown.
    pub fn invoke(&mut self, at: Timestamp, client: ClientId, action: O) -> OperationId {
        let ending = Ending::Info;
        self.operations.push(Operation { client, action, invoked: at, ending, ended: Timestamp::NEVER });
        OperationId(self.operations.len() - 1)
    }

    /// Notes that an operation took effect.
    pub fn succeed(&mut self, at: Timestamp, operation: OperationId, result: R) {
        self.end(at, operation, Ending::Ok(result));
    }

    /// Notes that an operation did not take effect and never will.
    pub fn fail(&mut self, at: Timestamp, operation: OperationId) {
        self.end(at, operation, Ending::Fail);
    }

    /// One operation.
    #[must_use]
    pub fn operation(&self, operation: OperationId) -> &Operation<O, R> {
        &self.operations[operation.0]
    }

    /// All operations, in the order in which they were invoked.
    #[must_use]
    pub fn operations(&self) -> &[Operation<O, R>] {
        &self.operations
    }

    fn end(&mut self, at: Timestamp, operation: OperationId, ending: Ending<R>) {
        let operation = &mut self.operations[operation.0];
        debug_assert!(operation.ended == Timestamp::NEVER, "an operation ends once");
        operation.ending = ending;
        operation.ended = at;
    }
}
