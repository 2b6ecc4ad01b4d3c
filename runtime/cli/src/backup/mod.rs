//! `synod backup`: the state of a cluster, or of a stopped node, in one file that verifies itself.

mod command;
mod copy;
mod online;
mod report;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use command::BackupCommand;
pub(crate) use copy::{bar, reading};
pub(crate) use report::described;
