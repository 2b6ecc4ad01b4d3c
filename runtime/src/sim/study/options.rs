//! How large a study is. The faults are drawn from the seed, not chosen here.

use std::time::Duration;

/// What a study is asked to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many nodes, all members.
    pub nodes: usize,
    /// How long faults strike, in virtual time.
    pub duration: Duration,
    /// How many clients, each with one request at a time.
    pub clients: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { nodes: 3, duration: Duration::from_secs(20), clients: 4 }
    }
}
