//! Quorum arithmetic, a leaf that every agreement protocol stands on.
//!
//! No protocol rule stands here: which value a quorum has to reach, and what follows from it, is the business of the columns.

mod joint;
mod majority;

#[cfg(test)]
mod tests;

pub use joint::Joint;
pub use majority::{Majority, Tally};
