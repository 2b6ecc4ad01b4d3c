//! What must hold after every step of a simulation, whatever faults strike.
//!
//! An invariant is told what the step changed, and keeps its own memory, so that a check costs what the change costs.
//! The invariants of a protocol live in its column; none live here.

use crate::sim::node::Node;
use crate::sim::subject::Subject;
use crate::sim::violation::Violation;
use crate::types::{LogIndex, NodeId, Timestamp, Token};

/// Something an invariant may want to know of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The process started; its log and cells are what its disk held.
    Started,
    /// The process died.
    Crashed,
    /// A command with this token came to the machine.
    Asked(Token),
    /// Entries from this index on were written, replaced or forgotten; not necessarily durable.
    LogWritten(LogIndex),
    /// Entries up to this index gave way to a received snapshot, in the written log.
    LogReplaced(LogIndex),
    /// More of what was written is durable.
    Durable,
    /// One entry took effect on the application.
    Applied {
        /// Its index.
        index: LogIndex,
        /// A hash of its content.
        entry: u64,
        /// The application's digest afterwards.
        state: u64,
    },
    /// The application became the state of a snapshot.
    Restored {
        /// The snapshot's last index.
        index: LogIndex,
        /// The application's digest afterwards.
        state: u64,
    },
}

/// An answer that reached its caller.
#[derive(Clone, Debug)]
pub struct Answer<P: Subject> {
    /// Where the question was asked.
    pub node: NodeId,
    /// The question.
    pub token: Token,
    /// The answer.
    pub reply: P::Reply,
}

/// One step as invariants see it.
#[derive(Debug)]
pub struct Scene<'a, P: Subject, A> {
    /// When, in virtual time.
    pub now: Timestamp,
    /// The position of the node that stepped, in `nodes`.
    pub actor: usize,
    /// What happened, in order.
    pub happenings: &'a [Happening],
    /// Answers that reached callers in this step.
    pub answers: &'a [Answer<P>],
    /// Every node, as it is after the step.
    pub nodes: &'a [Node<P, A>],
}

impl<P: Subject, A> Scene<'_, P, A> {
    /// The node that stepped.
    #[must_use]
    pub fn node(&self) -> &Node<P, A> {
        &self.nodes[self.actor]
    }

    /// A violation by the node that stepped.
    #[must_use]
    pub fn violation(&self, invariant: &'static str, details: String) -> Violation {
        Violation { invariant, at: self.now, node: Some(self.node().id()), details }
    }
}

/// A property that every step must keep.
pub trait Invariant<P: Subject, A> {
    /// Looks at one step. An error ends the run.
    ///
    /// # Errors
    /// The property does not hold.
    fn check(&mut self, scene: &Scene<'_, P, A>) -> Result<(), Violation>;

    /// Looks at the end of a run that healed and came to rest; `actor` means nothing then.
    ///
    /// # Errors
    /// Something that was owed did not come.
    fn finish(&mut self, _scene: &Scene<'_, P, A>) -> Result<(), Violation> {
        Ok(())
    }
}
