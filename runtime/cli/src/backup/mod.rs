//! `synod backup`: the state of a cluster, or of a stopped node, in one file that verifies itself.

mod command;
mod copy;
mod online;
mod report;
mod target;

pub(crate) use command::BackupCommand;
