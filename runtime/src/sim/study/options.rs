//! How large a study is. The faults are drawn from the seed, not chosen here.

use std::time::Duration;

use crate::sim::network::Medium;

/// What a study is asked to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many nodes, all members.
    pub nodes: usize,
    /// How long faults strike, in virtual time.
    pub duration: Duration,
    /// How many clients, each with one request at a time.
    pub clients: usize,
    /// By what nodes reach each other.
    pub medium: Medium,
}

impl Default for Options {
    fn default() -> Self {
        Self { nodes: 3, duration: Duration::from_secs(20), clients: 4, medium: Medium::Memory }
    }
}
