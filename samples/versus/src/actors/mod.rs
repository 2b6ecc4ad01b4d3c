//! Consensus as a program uses it: nodes as concurrent parts of one process, clients that await their answers.

mod clients;
mod openraft;
mod synod_core;
mod synod_nodes;

use std::time::Duration;

use crate::cell::Cell;

/// One implementation.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    /// Writes a second.
    pub(crate) run: fn(Cell, Duration) -> f64,
}

/// All of them, ours first.
pub(crate) fn contestants() -> [Contestant; 4] {
    [
        Contestant { name: "synod core", run: synod_core::on_one_thread },
        Contestant { name: "synod nodes", run: synod_nodes::on_one_thread },
        Contestant { name: "openraft, one thread", run: openraft::on_one_thread },
        Contestant { name: "openraft, two threads", run: openraft::on_two_threads },
    ]
}
