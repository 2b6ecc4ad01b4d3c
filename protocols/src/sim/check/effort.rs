//! How much a search has cost so far, told to whoever decides whether it goes on.

/// The cost of a search, and how far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// How many times an operation was tried in an order.
    pub steps: u64,
    /// Configurations remembered.
    pub remembered: u64,
    /// About how many bytes they take.
    pub bytes: u64,
    /// Completed operations that the longest order so far has passed.
    pub passed: usize,
    /// Completed operations to pass.
    pub completed: usize,
}
