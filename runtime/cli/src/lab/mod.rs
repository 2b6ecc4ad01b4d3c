//! `synod lab`: published experiments on elections, repeated with this very machine, beside the published numbers.

mod chart;
mod command;
mod election;
mod finding;
mod partition;
mod split_vote;
mod trials;

pub(crate) use command::LabCommand;
