//! `synod sim`: clusters in virtual time, from seeds.

mod broken;
mod command;
mod nodes;
mod raft;
mod range;
mod sums;
mod sweep;

pub(crate) use command::SimCommand;
