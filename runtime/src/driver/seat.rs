//! Names one stay of a machine with its driver, so that an answer meant for an earlier stay reaches nobody.

use crate::address::MachineId;

/// A machine and when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seat {
    /// Which machine.
    pub(crate) machine: MachineId,
    /// The number of its stay; no two stays of a driver have the same.
    pub(crate) stay: u64,
}
