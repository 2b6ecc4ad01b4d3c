//! `synod sim`: clusters in virtual time, from seeds.

mod nodes;
mod raft;
mod range;
mod sweep;

pub(crate) use nodes::NodesCommand;
pub(crate) use raft::RaftCommand;
