//! Names and numbers of nodes, protocols and machines, and how the numbers follow from the names.
//!
//! Nothing here is assigned by hand or agreed at run time: a number is a stable hash of a name.

use std::fmt;

use serde::{Deserialize, Serialize};
use synod_protocols::NodeId;
use synod_transport::PeerName;

/// The number by which protocols and references name a node: a stable hash of its name within the cluster.
#[must_use]
pub fn node_id(name: &PeerName) -> NodeId {
    NodeId(stable_hash(name.as_str().as_bytes()))
}

/// Names a protocol on the wire and in the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProtocolId(pub u64);

/// Names one machine of a node in the log and, together with its protocol, on the wire. The machines of one group have the
/// same id on every node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MachineId(pub u64);

impl ProtocolId {
    /// The id of the protocol with this name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self(stable_hash(name.as_bytes()))
    }
}

impl MachineId {
    /// The id of the machine with this name that runs this protocol.
    #[must_use]
    pub fn of(protocol: &str, name: &str) -> Self {
        let mut bytes = Vec::with_capacity(protocol.len() + name.len() + 1);
        bytes.extend_from_slice(protocol.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(name.as_bytes());
        Self(stable_hash(&bytes))
    }
}

impl fmt::Debug for ProtocolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "protocol:{:016x}", self.0)
    }
}

impl fmt::Debug for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "machine:{:016x}", self.0)
    }
}

/// FNV-1a (64 bit) with a final mix, the same on every machine and in every version. Not for hostile input of unbounded
/// variety: the names that are hashed stand in configurations and certificates.
#[must_use]
pub fn stable_hash(bytes: &[u8]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for &byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_written_to_disks_and_wires_before() {
        assert_eq!(ProtocolId::of("raft"), ProtocolId(0xB2AF706972495AEA));
        assert_eq!(MachineId::of("raft", "kv"), MachineId(0xC6EBDD64FDB624CC));
        assert_ne!(MachineId::of("raft", "kv"), MachineId::of("raftk", "v"));
    }
}
