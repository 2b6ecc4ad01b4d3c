//! Linearizability: whether a history of concurrent operations is one that a single object could have given.
//!
//! The search of Wing and Gong (JPDC 1993) with Lowe's memory of configurations (Concurrency and Computation 2017), each key
//! apart (Herlihy and Wing, TOPLAS 1990, §3.3). Objects are data: a [`Model`], [`Call`]s and what they [`Returned`]. The caller brings
//! the operations, in any order, and says after each stretch of work whether to go on; without an answer the verdict is unknown.

mod call;
mod deed;
mod describe;
mod effort;
mod fifo;
mod keys;
mod machine;
mod mask;
mod model;
mod plan;
mod search;
mod sought;
mod span;
mod state;
mod symbols;
mod track;
mod verdict;

#[cfg(test)]
mod tests;

pub use call::{Access, Call, Returned};
pub use effort::Effort;
pub use keys::check_keys;
pub use model::{Misfit, Model, Start};
pub use symbols::Value;
pub use verdict::{Refutation, Verdict, check};
