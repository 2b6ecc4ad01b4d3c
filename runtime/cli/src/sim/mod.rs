//! `synod sim`: clusters in virtual time, from seeds.

mod command;
mod nodes;
mod raft;
mod range;
mod sweep;

pub(crate) use command::SimCommand;
