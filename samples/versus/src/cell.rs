//! One cell of a table: how many clients write at once, and how much.

use serde::Serialize;

/// What is asked of every contestant alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Cell {
    /// How many clients write at once, each its next write when the last has taken effect.
    pub(crate) clients: usize,
    /// Bytes in one write.
    pub(crate) payload: usize,
}
