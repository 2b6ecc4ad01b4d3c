//! Consensus without anything around it: three nodes on one thread, messages carried by function calls, logs in memory.
//!
//! Every contestant is pumped in the same way: all idle clients propose, then messages are delivered until nothing is left to do.

mod omni;
mod raft_rs;
mod synod_core;

use bytes::Bytes;

use crate::cell::Cell;
use crate::cpu::thread_time;

/// Three nodes with a leader.
trait Cluster {
    /// Starts the nodes and lets one of them become leader.
    fn elected() -> Self;

    /// Gives the leader one write.
    fn propose(&mut self, payload: Bytes);

    /// Carries messages and applies what is committed, on all three nodes, until nothing is left to do. Gives how many writes
    /// have taken effect at the leader since the last call.
    fn pump(&mut self) -> usize;
}

/// One implementation.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    /// Writes a second of processor time.
    pub(crate) run: fn(Cell, u64) -> f64,
}

/// All of them, ours first.
pub(crate) fn contestants() -> [Contestant; 3] {
    [
        Contestant { name: "synod", run: run::<synod_core::Synod> },
        Contestant { name: "raft-rs", run: run::<raft_rs::RaftRs> },
        Contestant { name: "omnipaxos", run: run::<omni::Omni> },
    ]
}

fn run<C: Cluster>(cell: Cell, writes: u64) -> f64 {
    let mut cluster = C::elected();
    let payload = vec![b'v'; cell.payload];
    let mut idle = cell.clients;
    let mut done = 0;
    let began = thread_time();
    while done < writes {
        for _ in 0..idle {
            // Every client makes its own payload, as one that encodes a command does.
            cluster.propose(Bytes::copy_from_slice(&payload));
        }
        idle = cluster.pump();
        assert!(idle > 0, "writes that never take effect");
        done += idle as u64;
    }
    done as f64 / (thread_time() - began).as_secs_f64()
}
