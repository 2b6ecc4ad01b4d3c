//! The command line's end of HTTP: where the nodes are, one attempt, and attempts until a deadline.
//!
//! Every write carries an `Idempotency-Key`, so an attempt whose answer was lost may be made again, at the same node or another.

mod attempt;
mod endpoint;
mod events;
mod path;
mod retry;

#[cfg(test)]
mod tests;

pub(crate) use attempt::{Answer, NoAnswer, Request, attempt};
pub(crate) use endpoint::{Connection, Endpoint, local_agent, seconds};
pub(crate) use events::{Parser, Sent};
pub(crate) use path::Path;
pub(crate) use retry::{Client, Patience};
